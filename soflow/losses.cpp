#include "eflow/soflow/losses.hpp"

#include "eflow/nn/named_enum.hpp"

namespace eflow::soflow {
namespace {

constexpr std::array<std::string_view, 2> kAdditivityNames = {"velocity", "solution"};

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

Tensor mean_square(const Tensor& x) {
  const NoGrad off;
  return mean_over_elements(square(x));
}

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

Tensor joined_velocity(const Tensor& y, const Tensor& z, const PerSample& t, const PerSample& l,
                       const PerSample& s) {
  PerSample first(t.size()), second(t.size());
  for (std::size_t i = 0; i < t.size(); ++i) {
    first[i] = (t[i] - l[i]) / (t[i] - s[i]);
    second[i] = (l[i] - s[i]) / (t[i] - s[i]);
  }
  return mul_add(as_factors(first, y), y, as_factors(second, z) * z);
}

std::string_view name_of(AdditivityWeight kind) {
  return kAdditivityNames[static_cast<std::size_t>(kind)];
}

AdditivityWeight additivity_weight(std::string_view name) {
  return nn::enum_from_name<AdditivityWeight>("mva", name, kAdditivityNames);
}

SampleLosses additivity_loss(const Tensor& prediction, const Tensor& joined, const PerSample& t,
                             const PerSample& s, AdditivityWeight kind,
                             const AdaptiveWeight& weight) {
  if (kind == AdditivityWeight::kVelocity) return weighted_square(prediction, joined, weight, 1);
  PerSample square_of_way(t.size());
  for (std::size_t i = 0; i < t.size(); ++i) square_of_way[i] = (t[i] - s[i]) * (t[i] - s[i]);
  const Tensor error = mean_over_elements(square(prediction - joined.detach()));
  return {error * as_times(square_of_way, error), error.detach()};
}

}  // namespace eflow::soflow
