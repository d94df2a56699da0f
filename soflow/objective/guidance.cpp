#include "eflow/soflow/objective/guidance.hpp"

#include <algorithm>
#include <cmath>

#include "eflow/core/base/named_enum.hpp"
#include "eflow/core/tensor/ops.hpp"
#include "eflow/core/tensor/random_key.hpp"

namespace eflow::soflow {
namespace {

bool any_nonzero(const PerSample& values) {
  return std::any_of(values.begin(), values.end(), [](double value) { return value != 0; });
}

}  // namespace

std::string_view name_of(Unconditional kind) {
  return enum_name(kind, kUnconditionalNames);
}

Unconditional unconditional_kind(std::string_view name) {
  return enum_from_name<Unconditional>("guidance", name, kUnconditionalNames);
}

PerSample draw_scales(const GuidanceOptions& options, const RandomKey& key,
                      const std::vector<std::int64_t>& ids) {
  const double width = std::max(0.0, options.scale_max - options.scale);
  PerSample w(ids.size(), options.scale);
  if (width == 0) return w;
  const auto count = static_cast<std::int64_t>(ids.size());
  const PerSample u = options.per_sample ? uniform_values({count}, key, ids)
                                         : PerSample(ids.size(), uniform_values({1}, key, {0})[0]);
  for (std::size_t i = 0; i < w.size(); ++i) w[i] += width * u[i];
  return w;
}

std::vector<bool> draw_dropped(double chance, const RandomKey& key,
                               const std::vector<std::int64_t>& ids) {
  std::vector<bool> dropped(ids.size(), false);
  if (chance <= 0) return dropped;
  const auto count = static_cast<std::int64_t>(ids.size());
  const auto u = uniform_values({count}, key, ids);
  for (std::size_t i = 0; i < u.size(); ++i) dropped[i] = u[i] < chance;
  return dropped;
}

double guidance_decay(double t, double decay_time) {
  if (t <= decay_time) return 1;
  const double u = std::clamp((1 - t) / (1 - decay_time), 0.0, 1 - 1e-6);
  return 1 - std::exp(-0.025 * u / (1 - u));
}

TargetFactors::TargetFactors(const GuidanceOptions& options, const PerSample& scales,
                             const PerSample& t, const std::vector<bool>& dropped) {
  for (std::size_t i = 0; i < t.size(); ++i) {
    const double w =
        dropped[i] ? 1 : 1 + guidance_decay(t[i], options.decay_time) * (scales[i] - 1);
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

Tensor target_velocity(const TargetFactors& factors, const Tensor& v, const Tensor& v_uncond,
                       const Tensor& F) {
  if (!factors.needs_unconditional() && !factors.needs_own()) return v;
  Tensor v_tgt = as_factors(factors.path, v) * v;
  if (factors.needs_unconditional()) {
    v_tgt = mul_add(as_factors(factors.unconditional, v), v_uncond, v_tgt);
  }
  if (factors.needs_own()) v_tgt = mul_add(as_factors(factors.own, v), F, v_tgt);
  return v_tgt;
}

}  // namespace eflow::soflow
