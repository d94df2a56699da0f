#include "eflow/soflow/anyflow/on_policy.hpp"

#include <algorithm>
#include <cmath>

#include "eflow/core/base/error.hpp"
#include "eflow/core/tensor/ops.hpp"
#include "eflow/core/tensor/random_key.hpp"
#include "eflow/soflow/objective/interpolant.hpp"
#include "eflow/soflow/objective/times.hpp"

namespace eflow::soflow {

std::vector<double> backward_simulation_times(int n, int k, double shift) {
  if (k < 0 || k >= n)
    throw InvalidArgument(
        str("[on policy] step ", k, " of ", n, " does not exist; expected 0 <= k < n"));
  const auto time = [&](int i) { return shift_time(1 - static_cast<double>(i) / n, shift); };
  std::vector<double> times = {1};
  if (k > 0) times.push_back(time(k));
  times.push_back(time(k + 1));
  if (k + 1 < n) times.push_back(0);
  return times;
}

SimulatedStep draw_simulated_step(const std::vector<int>& choices, const RandomKey& key) {
  const auto u = uniform_values({1, 2}, key, {0});
  const auto pick = [](double uniform, std::size_t count) {
    return std::min(count - 1, static_cast<std::size_t>(uniform * static_cast<double>(count)));
  };
  const int n = choices.at(pick(u[0], choices.size()));
  return {n, static_cast<int>(pick(u[1], static_cast<std::size_t>(n)))};
}

Tensor roll_out(const Network& network, const Tensor& x1, const std::vector<double>& times,
                const nn::Condition& condition) {
  Tensor x = x1;
  const auto every = [&](double t) { return PerSample(static_cast<std::size_t>(x1.size(0)), t); };
  for (std::size_t i = 0; i + 1 < times.size(); ++i)
    x = solve(network, x, every(times[i]), every(times[i + 1]), condition);
  return x;
}

Tensor data_of(const Network& network, const Tensor& x_t, const PerSample& t,
               const nn::Condition& condition) {
  const PerSample zero(t.size(), 0);
  return advance(x_t, evaluate(network, x_t, t, t, condition), t, zero);
}

Tensor matching_gradient(const Tensor& x, const Tensor& x0_fake, const Tensor& x0_real) {
  const NoGrad off;
  const Tensor difference = x.detach() - x0_real;
  const Tensor distance = mean(reshape(maximum(difference, -difference), {x.size(0), -1}), {1});
  PerSample rate = distance.to_vector<double>();
  for (double& value : rate) value = value > 0 && std::isfinite(value) ? 1 / value : 0;
  return (x0_fake - x0_real) * as_factors(rate, x);
}

Tensor matching_loss(const Tensor& x, const Tensor& gradient) {
  return mean(square(x - (x.detach() - gradient.detach())));
}

}  // namespace eflow::soflow
