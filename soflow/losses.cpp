#include "eflow/soflow/losses.hpp"

namespace eflow::soflow {
namespace {

/// Mean over all axes but the first.
Tensor mean_over_elements(const Tensor& x) {
  return mean(reshape(x, {x.size(0), -1}), {1});
}

/// (mse + eps)^-p
Tensor adaptive(const Tensor& mse, const AdaptiveWeight& weight) {
  return exp(log(mse + weight.eps) * -weight.p);
}

SampleLosses weighted_square(const Tensor& prediction, const Tensor& target,
                             const AdaptiveWeight& weight, double scale) {
  const Tensor error = mean_over_elements(square(prediction - target.detach()));
  const Tensor mse = error.detach();
  return {adaptive(mse, weight) * error * scale, mse};
}

}  // namespace

SampleLosses flow_matching_loss(const Tensor& prediction, const Tensor& target,
                                const AdaptiveWeight& weight) {
  return weighted_square(prediction, target, weight, 1);
}

Tensor solution_drift(const Tensor& v, const Tensor& f_t, const Tensor& f_l, const PerSample& t,
                      const PerSample& l, const PerSample& s) {
  PerSample ratio(t.size());
  for (std::size_t i = 0; i < t.size(); ++i) ratio[i] = (t[i] - s[i]) / (t[i] - l[i]);
  return v - f_l - as_factors(ratio, v) * (f_t - f_l);
}

SampleLosses consistency_loss(const Tensor& f_t, const Tensor& dq, const AdaptiveWeight& weight,
                              double scale) {
  return weighted_square(f_t, f_t.detach() + dq.detach(), weight, scale);
}

}  // namespace eflow::soflow
