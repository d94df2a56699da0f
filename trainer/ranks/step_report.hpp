#pragma once
// StepReport: what the ranks tell each other about a step, for decisions and metrics that must be
// the same on all of them.

#include <cstdint>
#include <string>
#include <vector>

#include "eflow/core/comm/communicator.hpp"
#include "eflow/soflow/objective/loss_groups.hpp"

namespace eflow::trainer {

struct StepReport {
  std::vector<double> losses = {};     ///< of the shards, in order
  std::vector<std::int64_t> ids = {};  ///< of the clips, in order
  std::vector<soflow::SampleRecord> samples = {};

  /// Appends all of another report.
  void append(const StepReport& other);
  /// Sum of the losses, in order.
  [[nodiscard]] double loss() const;
};

/// The reports of all ranks as one, in rank order, which is the order of the samples. Throws
/// comm::PeerError.
[[nodiscard]] StepReport merged(const StepReport& own, comm::Communicator* ranks,
                                std::int64_t step);

}  // namespace eflow::trainer
