#pragma once
// The level of AnyFlow's loss: a mean over the samples of the whole step, whichever rank has them.

#include <functional>
#include <optional>
#include <vector>

#include "eflow/core/comm/communicator.hpp"
#include "eflow/soflow/objective/batch.hpp"

namespace eflow::trainer {

/// The mean over all points of a step (soflow::anyflow_jump()). level_of returns the mean over the
/// points of micro-batches; it is called with one at a time, so that the result does not depend on
/// the number of ranks. step: finished steps; sequence: ranks that have the same micro-batches.
/// Throws comm::PeerError.
[[nodiscard]] std::optional<double> shared_level(
    const std::vector<soflow::Batch>& own_parts,
    const std::function<std::optional<double>(const std::vector<soflow::Batch>&)>& level_of,
    comm::Communicator* ranks, std::int64_t step, std::int64_t sequence = 1);

}  // namespace eflow::trainer
