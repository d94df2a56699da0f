#pragma once
// What must be the same on all ranks before they train together: configuration, build, tuned
// kernels, data. Compared at the start, because a difference would show as numbers that no one can
// explain.

#include <string>
#include <utility>
#include <vector>

#include "eflow/core/comm/communicator.hpp"
#include "eflow/trainer/config/config.hpp"

namespace eflow::trainer {

/// Named values, in an order that is the same on all ranks.
using Facts = std::vector<std::pair<std::string, std::string>>;

/// Every option but those that may differ between machines (train.threads).
[[nodiscard]] Facts facts_of(const Config& config);
/// The program's version and code, the instruction set, and the tuned configurations in use.
[[nodiscard]] Facts facts_of_build();

/// Throws InvalidArgument on all ranks if a rank has other values than rank 0: names the first such
/// rank, the key and both values.
void require_agreement(const Facts& mine, comm::Communicator* ranks);

}  // namespace eflow::trainer
