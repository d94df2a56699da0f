#include "eflow/soflow/objective/interpolant.hpp"

#include "eflow/core/tensor/ops.hpp"

namespace eflow::soflow {

Tensor interpolate(const Tensor& x0, const Tensor& x1, const PerSample& t) {
  const Tensor time = as_factors(t, x0);
  return mul_add(time, x1, (1 - time) * x0);
}

Tensor path_velocity(const Tensor& x0, const Tensor& x1) {
  return x1 - x0;
}

Tensor advance(const Tensor& x, const Tensor& F, const PerSample& t, const PerSample& s) {
  PerSample step(t.size());
  for (std::size_t i = 0; i < t.size(); ++i) step[i] = s[i] - t[i];
  return mul_add(as_factors(step, x), F, x);
}

Tensor solve(const Network& network, const Tensor& x, const PerSample& t, const PerSample& s,
             const nn::Condition& condition) {
  return advance(x, evaluate(network, x, t, s, condition), t, s);
}

}  // namespace eflow::soflow
