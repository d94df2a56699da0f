#include "eflow/soflow/objective/losses.hpp"

#include "eflow/core/base/named_enum.hpp"
#include "eflow/core/ops/square_error.hpp"
#include "eflow/core/tensor/ops.hpp"

namespace eflow::soflow {
namespace {

/// (mse + eps)^-p
Tensor adaptive(const Tensor& mse, const AdaptiveWeight& weight) {
  return power(mse, weight.eps, -weight.p);
}

SampleLosses weighted_square(const Tensor& F, const Tensor& target, const AdaptiveWeight& weight,
                             double scale) {
  const Tensor error = mean_square_error(F, target.detach());
  const Tensor mse = error.detach(), loss = adaptive(mse, weight) * error;
  return {scale == 1 ? loss : loss * scale, mse};
}

}  // namespace

Tensor mean_square(const Tensor& x) {
  const NoGrad off;
  return mean_square_error(x);
}

SampleLosses fm_loss(const Tensor& F, const Tensor& target, const AdaptiveWeight& weight) {
  return weighted_square(F, target, weight, 1);
}

Tensor solution_drift(const Tensor& v, const Tensor& F_t, const Tensor& F_l, const PerSample& t,
                      const PerSample& l, const PerSample& s) {
  PerSample ratio(t.size());  // -1 / r
  for (std::size_t i = 0; i < t.size(); ++i) ratio[i] = (s[i] - t[i]) / (t[i] - l[i]);
  return mul_add(as_factors(ratio, v), F_t - F_l, v - F_l);
}

SampleLosses scm_loss(const Tensor& F_t, const Tensor& dq, const AdaptiveWeight& weight,
                      double scale) {
  return weighted_square(F_t, F_t.detach() + dq.detach(), weight, scale);
}

Tensor mva_target(const Tensor& y, const Tensor& z, const PerSample& t, const PerSample& l,
                  const PerSample& s) {
  PerSample first(t.size()), second(t.size());
  for (std::size_t i = 0; i < t.size(); ++i) {
    first[i] = (t[i] - l[i]) / (t[i] - s[i]);
    second[i] = (l[i] - s[i]) / (t[i] - s[i]);
  }
  return mul_add(as_factors(first, y), y, as_factors(second, z) * z);
}

std::string_view name_of(MvaWeight kind) {
  return enum_name(kind, kMvaWeightNames);
}

MvaWeight mva_weight(std::string_view name) {
  return enum_from_name<MvaWeight>("mva", name, kMvaWeightNames);
}

SampleLosses mva_loss(const Tensor& F, const Tensor& F_star, const PerSample& t, const PerSample& s,
                      MvaWeight kind, const AdaptiveWeight& weight) {
  switch (kind) {
    case MvaWeight::kVelocity:
      return weighted_square(F, F_star, weight, 1);
    case MvaWeight::kSolution:
      break;
  }
  // |f - f*| = (t - s) |F - F_star|
  PerSample squared_gap(t.size());
  for (std::size_t i = 0; i < t.size(); ++i) squared_gap[i] = (t[i] - s[i]) * (t[i] - s[i]);
  const Tensor error = mean_square_error(F, F_star.detach());
  return {error * as_times(squared_gap, error), error.detach()};
}

}  // namespace eflow::soflow
