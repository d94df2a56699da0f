#pragma once
// The noise alarm of the consistency loss. Its drift is a difference of two evaluations, divided by
// a small step r: where r is too small for the precision of the forward pass, rounding drowns it.
// One step sees a few samples and may exceed the limit by chance, so the mean over many is judged.

#include <cstdint>
#include <optional>

namespace eflow::soflow {

class DriftAlarm {
 public:
  /// Steps that are averaged, and the mean ratio from which rounding is the likely cause.
  static constexpr std::int64_t kWindow = 100;
  static constexpr double kLimit = 2;

  /// Takes drift_ratio() of a step (NaN: the step had no consistency sample, and does not count).
  /// At the end of each window whose mean exceeds kLimit returns the mean.
  std::optional<double> add(double ratio);

 private:
  double sum_ = 0;
  std::int64_t count_ = 0;
};

}  // namespace eflow::soflow
