#pragma once
// Learning rates as pure functions of the step.

#include <cstdint>
#include <string_view>

namespace eflow::nn {

enum class Curve { kConstant, kCosine, kLinear };

/// "constant", "cosine", "linear".
[[nodiscard]] std::string_view name_of(Curve curve);
/// Throws InvalidArgument listing the known names.
[[nodiscard]] Curve curve_kind(std::string_view name);

struct LearningRate {
  double peak = 1e-4;
  Curve curve = Curve::kConstant;
  std::int64_t warmup = 0;    ///< steps from peak / warmup to peak, linearly
  std::int64_t total = 0;     ///< steps of the whole run; where the curve ends
  double end_fraction = 0.0;  ///< of the peak, at the end

  /// The rate of a step, counted from 0. After `total` steps the end value.
  [[nodiscard]] double at(std::int64_t step) const;
};

}  // namespace eflow::nn
