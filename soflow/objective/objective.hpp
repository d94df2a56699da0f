#pragma once
// EFlowObjective: the loss of one training step. Each sample trains one loss: flow matching (FM) of
// the full network or of its weak path, solution consistency (SCM) or mean-velocity additivity
// (MVA). With guidance, token dropping and MVA off, it is the SoFlow objective. [arXiv 2603.27086,
// Alg. 1]

#include "eflow/core/base/export.hpp"
#include "eflow/soflow/objective/batch.hpp"
#include "eflow/soflow/objective/objective_options.hpp"

EFLOW_EXPORT_BEGIN

namespace eflow::soflow {

class EFlowObjective {
 public:
  /// Throws InvalidArgument if the token drop does not fit the grid, or if a pattern holds a group
  /// that this objective does not train (kDistributionMatching).
  explicit EFlowObjective(ObjectiveOptions options);

  /// Returns the loss of one batch. step: finished steps, selects schedules and random numbers.
  /// batch_total: samples of the whole step over all micro-batches and ranks; 0 means this batch is
  /// the step. Throws ShapeError if the batch is inconsistent, InvalidArgument if a sample trains
  /// MVA and there is no averaged network. Waits for the device.
  [[nodiscard]] StepLoss operator()(const Networks& networks, const Batch& batch, std::int64_t step,
                                    std::int64_t batch_total = 0) const;
  [[nodiscard]] StepLoss operator()(const Network& network, const Batch& batch, std::int64_t step,
                                    std::int64_t batch_total = 0) const {
    return (*this)(Networks{network, {}}, batch, step, batch_total);
  }

  [[nodiscard]] const ObjectiveOptions& options() const { return options_; }

 private:
  ObjectiveOptions options_;
};

}  // namespace eflow::soflow

EFLOW_EXPORT_END
