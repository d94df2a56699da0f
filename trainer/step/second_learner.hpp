#pragma once
// SecondLearner: a second learner that takes a step of its own after each step of the trainer, on the
// same clips. AnyFlow's on-policy stage uses one for the score of the student's samples.

#include "eflow/core/base/export.hpp"
#include "eflow/nn/layers/module.hpp"
#include "eflow/soflow/objective/batch.hpp"

EFLOW_EXPORT_BEGIN

namespace eflow::trainer {

class SecondLearner {
 public:
  virtual ~SecondLearner() = default;
  /// Takes the step that follows `step` finished ones, on the micro-batches of the trainer's step,
  /// and returns the mean error. If that is not finite, throws NumericError and changes nothing.
  virtual double step(const std::vector<soflow::Batch>& parts, std::int64_t step) = 0;
  /// Everything needed to resume. Names must not clash with the trainer's (Trainer::state()).
  [[nodiscard]] virtual nn::NamedTensors state() const = 0;
  /// Called once the tensors of state() have been loaded; it has finished `steps` steps.
  virtual void go_on_after(std::int64_t steps) = 0;
};

}  // namespace eflow::trainer

EFLOW_EXPORT_END
