#pragma once
// Learning rate schedules: pure functions of the step.

#include <array>
#include <cstdint>
#include <string_view>

#include "eflow/core/base/export.hpp"

EFLOW_EXPORT_BEGIN

namespace eflow::nn {

enum class Curve { kConstant, kCosine, kLinear };
/// Names by enumerator value.
inline constexpr std::array<std::string_view, 3> kCurveNames = {"constant", "cosine", "linear"};
[[nodiscard]] std::string_view name_of(Curve curve);
/// Throws InvalidArgument and lists the known names.
[[nodiscard]] Curve curve_kind(std::string_view name);

struct LearningRate {
  double peak = 1e-4;
  Curve curve = Curve::kConstant;
  std::int64_t warmup = 0;    ///< steps of linear warm-up, from peak / warmup to peak
  std::int64_t total = 0;     ///< steps of the whole run, at whose end the curve ends
  double end_fraction = 0.0;  ///< final rate as a fraction of the peak

  /// Returns the rate of a step, counted from 0. From `total` on, returns the final rate.
  [[nodiscard]] double at(std::int64_t step) const;
};

}  // namespace eflow::nn

EFLOW_EXPORT_END
