#pragma once
// For tests of modules and objectives: tensors of fixed random values, distances, and gradient
// checks by finite differences along a random direction of each tensor.

#include <algorithm>
#include <cmath>
#include <functional>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "eflow/core/tensor/ops.hpp"

namespace eflow::test {

/// Uniform in [-scale, scale], outside the graph; the same values for every dtype.
inline Tensor values(const Shape& shape, unsigned seed, double scale = 1,
                     DType dtype = DType::kF64) {
  std::mt19937_64 random(seed);
  std::uniform_real_distribution<double> uniform(-scale, scale);
  std::vector<double> v(static_cast<std::size_t>(element_count(shape)));
  for (double& x : v) x = uniform(random);
  const NoGrad off;
  return cast(Tensor::from(v, shape), dtype);
}

/// max |a - b|; infinite if shapes differ or a value is NaN.
inline double distance(const Tensor& a, const Tensor& b) {
  if (a.shape() != b.shape()) return INFINITY;
  const auto x = a.to_vector<double>(), y = b.to_vector<double>();
  double largest = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    const double d = std::abs(x[i] - y[i]);
    largest = d <= INFINITY ? std::max(largest, d) : INFINITY;
  }
  return largest;
}

inline double largest(const Tensor& a) {
  return distance(a, Tensor::zeros(a.shape(), a.dtype()));
}

/// Overwrites a parameter with random values of the same shape, since zero-initialised weights hide
/// the layers behind them.
inline void perturb(const std::vector<std::pair<std::string, Tensor>>& parameters, double scale) {
  unsigned seed = 7;
  const NoGrad off;
  for (auto [name, p] : parameters)
    p.assign(p.detach() + values(p.shape(), seed++, scale, p.dtype()));
}

struct GradientError {
  std::string name;
  double analytic = 0, numeric = 0;
  [[nodiscard]] double relative() const {
    return std::abs(analytic - numeric) / (1e-3 + std::abs(numeric));
  }
};

/// Returns the tensor whose gradient of loss() is furthest from central differences along a random
/// direction. All tensors must be f64 leaves that require gradients.
inline GradientError worst_gradient(const std::vector<std::pair<std::string, Tensor>>& leaves,
                                    const std::function<Tensor()>& loss, double step = 1e-5) {
  for (auto [name, leaf] : leaves) leaf.clear_grad();
  backward(loss());
  GradientError worst;
  unsigned seed = 1000;
  for (auto [name, leaf] : leaves) {
    const Tensor direction = values(leaf.shape(), seed++);
    const NoGrad off;
    const Tensor start = contiguous(leaf.detach() * 1.0);
    Tensor moved = leaf;
    const auto at = [&](double h) {
      moved.assign(start + direction * h);
      return loss().item();
    };
    GradientError error{name, 0, (at(step) - at(-step)) / (2 * step)};
    moved.assign(start);
    if (leaf.grad().defined()) error.analytic = sum(leaf.grad() * direction).item();
    if (worst.name.empty() || !(error.relative() <= worst.relative())) worst = error;
  }
  return worst;
}

}  // namespace eflow::test
