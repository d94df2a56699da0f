#pragma once
// DriftAlarm: detects that rounding dominates the solution-consistency (SCM) loss. The drift dq is
// a difference of two forward passes divided by a small ratio r. If r is too small for the
// precision of the forward pass, rounding error exceeds the signal. One step has few samples and
// may exceed the limit by chance, so the alarm judges the mean over many steps.

#include <cstdint>
#include <optional>

#include "eflow/core/base/export.hpp"

EFLOW_EXPORT_BEGIN

namespace eflow::soflow {

class DriftAlarm {
 public:
  /// Number of steps averaged.
  static constexpr std::int64_t kWindow = 100;
  /// Mean drift ratio above which rounding is the likely cause.
  static constexpr double kLimit = 2;

  /// Adds the drift_ratio() of one step. NaN means that the step had no SCM sample and is skipped.
  /// At the end of each window, returns the mean if it exceeds kLimit; otherwise nullopt.
  std::optional<double> add(double ratio);

 private:
  double sum_ = 0;
  std::int64_t count_ = 0;
};

}  // namespace eflow::soflow

EFLOW_EXPORT_END
