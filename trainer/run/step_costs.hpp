#pragma once
// StepCosts: the tokens and the useful FLOP/s of a run's steps.

#include "eflow/trainer/config/config.hpp"
#include "eflow/trainer/step/metrics.hpp"

namespace eflow::trainer {

struct Parts;

class StepCosts {
 public:
  /// Measures the peak of the device, which takes a tenth of a second. `ranks`: their number. Config
  /// and parts must outlive this object.
  StepCosts(const Config& config, const Parts& parts, int ranks);
  /// Fills tokens, kept_tokens and mfu of the step that the trainer has just made.
  void fill(StepMetrics* metrics) const;

 private:
  const Config& config_;
  const Parts& parts_;
  double peak_;  ///< FLOP/s of all ranks
};

}  // namespace eflow::trainer
