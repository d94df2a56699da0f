#pragma once
// Companion: a second learner that takes a step of its own after each of a trainer's, on the same
// clips: AnyFlow's score of what the student makes.

#include "eflow/nn/module.hpp"
#include "eflow/soflow/batch.hpp"

namespace eflow::trainer {

class Companion {
 public:
  virtual ~Companion() = default;
  /// The step after `step` finished ones, from the parts of the trainer's batch; returns the mean
  /// error. Throws NumericError, with nothing changed, where it is not finite.
  virtual double step(const std::vector<soflow::Batch>& parts, std::int64_t step) = 0;
  /// All that it needs to go on, with names of its own.
  [[nodiscard]] virtual nn::NamedTensors state() const = 0;
  /// The state was loaded; so many steps are finished.
  virtual void go_on_after(std::int64_t steps) = 0;
};

}  // namespace eflow::trainer
