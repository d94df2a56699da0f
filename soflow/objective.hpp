#pragma once
// EFlowObjective: one training step's loss. Samples learn the velocity at a point (flow matching),
// of the whole network or of its weak path; that solutions started at t and at l end in the same
// place (consistency); or that one long step is two short ones (additivity). With guidance, token
// dropping and additivity off it is SoFlow's. [arXiv 2603.27086, Alg. 1]

#include "eflow/soflow/batch.hpp"
#include "eflow/soflow/objective_options.hpp"

namespace eflow::soflow {

class Passes;

/// The weights that are trained, and their moving average, which additivity aims at (may be empty
/// without it).
struct Networks {
  Network online, average;
};

class EFlowObjective {
 public:
  /// Throws InvalidArgument where the token drop does not fit the grid.
  explicit EFlowObjective(ObjectiveOptions options);

  /// step: finished steps, for schedules and random numbers. batch_total: samples of the whole step
  /// over all micro-batches and ranks; 0: those of this batch. Throws ShapeError, and
  /// InvalidArgument where additivity has no averaged network.
  [[nodiscard]] StepLoss operator()(const Networks& networks, const Batch& batch, std::int64_t step,
                                    std::int64_t batch_total = 0) const;
  [[nodiscard]] StepLoss operator()(const Network& network, const Batch& batch, std::int64_t step,
                                    std::int64_t batch_total = 0) const {
    return (*this)(Networks{network, {}}, batch, step, batch_total);
  }

  [[nodiscard]] const ObjectiveOptions& options() const { return options_; }

 private:
  [[nodiscard]] SampleLosses losses_of(LossGroup group, const Networks& networks, Batch part,
                                       std::int64_t step) const;
  [[nodiscard]] SampleLosses flow_matching(const Network& network, const Passes& pass) const;
  [[nodiscard]] SampleLosses weak_path(const Network& network, const Passes& pass) const;
  [[nodiscard]] SampleLosses consistency(const Network& network, const Passes& pass,
                                         std::int64_t step) const;
  [[nodiscard]] SampleLosses additivity(const Networks& networks, const Passes& pass) const;

  ObjectiveOptions options_;
};

}  // namespace eflow::soflow
