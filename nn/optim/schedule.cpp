#include "eflow/nn/optim/schedule.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "eflow/core/base/named_enum.hpp"

namespace eflow::nn {
namespace {

/// Factor of the curve: 1 at progress 0; except for kConstant, 0 at progress 1.
double fall(Curve curve, double progress) {
  switch (curve) {
    case Curve::kConstant:
      return 1;
    case Curve::kCosine:
      return 0.5 * (1 + std::cos(std::numbers::pi * progress));
    case Curve::kLinear:
      return 1 - progress;
  }
  return 1;
}

}  // namespace

std::string_view name_of(Curve curve) {
  return enum_name(curve, kCurveNames);
}

Curve curve_kind(std::string_view name) {
  return enum_from_name<Curve>("schedule", name, kCurveNames);
}

double LearningRate::at(std::int64_t step) const {
  if (step < warmup) return peak * static_cast<double>(step + 1) / static_cast<double>(warmup);
  const std::int64_t length = std::max<std::int64_t>(1, total - warmup);
  const double progress =
      std::min(1.0, static_cast<double>(step - warmup) / static_cast<double>(length));
  return peak * (end_fraction + (1 - end_fraction) * fall(curve, progress));
}

}  // namespace eflow::nn
