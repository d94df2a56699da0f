#include "eflow/soflow/guidance.hpp"

#include <algorithm>
#include <cmath>

namespace eflow::soflow {
namespace {

bool any_nonzero(const PerSample& values) {
  return std::any_of(values.begin(), values.end(), [](double value) { return value != 0; });
}

}  // namespace

double guidance_decay(double t, double decay_time) {
  if (t <= decay_time) return 1;
  const double u = std::clamp((1 - t) / (1 - decay_time), 0.0, 1 - 1e-6);
  return 1 - std::exp(-0.025 * u / (1 - u));
}

TargetFactors::TargetFactors(const GuidanceOptions& options, const PerSample& t,
                             const std::vector<bool>& dropped) {
  for (std::size_t i = 0; i < t.size(); ++i) {
    const double w =
        dropped[i] ? 1 : 1 + guidance_decay(t[i], options.decay_time) * (options.scale - 1);
    const double m = dropped[i] ? 1 : options.mix;
    path.push_back(m * w);
    unconditional.push_back(m * (1 - w));
    own.push_back(1 - m);
  }
}

bool TargetFactors::needs_unconditional() const {
  return any_nonzero(unconditional);
}

bool TargetFactors::needs_own() const {
  return any_nonzero(own);
}

Tensor target_velocity(const TargetFactors& factors, const Tensor& v, const Tensor& unconditional,
                       const Tensor& own) {
  if (!factors.needs_unconditional() && !factors.needs_own()) return v;
  Tensor target = as_factors(factors.path, v) * v;
  if (factors.needs_unconditional()) {
    target = mul_add(as_factors(factors.unconditional, v), unconditional, target);
  }
  if (factors.needs_own()) target = mul_add(as_factors(factors.own, v), own, target);
  return target;
}

}  // namespace eflow::soflow
