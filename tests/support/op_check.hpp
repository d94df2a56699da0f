#pragma once
// Runs one Sample of an op: random inputs from fixed seeds, values and gradients on the host in
// f64.

#include <cmath>
#include <random>
#include <vector>

#include "eflow/core/tensor/op.hpp"
#include "eflow/core/tensor/ops.hpp"

namespace eflow::test {

using Values = std::vector<double>;

/// Random values for one input of a sample; the same for every dtype. Integer inputs are used
/// unchanged.
inline Values draw(const Sample& sample, std::size_t which) {
  const Sample::Input& input = sample.inputs[which];
  std::mt19937_64 random(1234 + which);
  std::uniform_real_distribution<double> uniform(input.low, input.high);
  Values out(static_cast<std::size_t>(element_count(input.shape)));
  for (double& v : out) {
    do v = uniform(random);
    while (std::abs(v) < sample.keep_from_zero);
  }
  return out;
}

inline Tensor make_input(const Sample::Input& input, const Values& values, DType dtype,
                         const DevicePtr& device) {
  if (!input.integers.empty()) return Tensor::from(input.integers, input.shape, device);
  const NoGrad off;
  return cast(Tensor::from(values, input.shape, device), dtype).detach();
}

struct Evaluation {
  std::vector<Values> outputs;
  /// Of sum(outputs * weights); empty for inputs without a gradient
  std::vector<Values> gradients;
  double loss = 0;
};

/// Evaluates the sample (or its reference) at `values`; computes the gradients that `wanted` marks.
inline Evaluation evaluate(const Sample& sample, const std::vector<Values>& values, DType dtype,
                           const std::vector<bool>& wanted, const DevicePtr& device,
                           bool reference = false) {
  Tensors inputs;
  for (std::size_t i = 0; i < values.size(); ++i) {
    inputs.push_back(make_input(sample.inputs[i], values[i], dtype, device));
    if (wanted[i]) inputs.back().set_requires_grad();
  }
  const Tensors outputs = (reference ? sample.reference : sample.run)(inputs);
  Evaluation out;
  Tensor loss;
  std::mt19937_64 random(99);
  for (const Tensor& y : outputs) {
    out.outputs.push_back(y.to_vector<double>());
    if (!is_floating(y.dtype())) continue;
    Values weights(static_cast<std::size_t>(y.count()));
    for (double& w : weights) w = std::uniform_real_distribution<double>(-1, 1)(random);
    Tensor w;
    {
      const NoGrad off;
      w = cast(Tensor::from(weights, y.shape(), device), y.dtype());
      weights = w.to_vector<double>();
    }
    for (std::size_t i = 0; i < weights.size(); ++i) out.loss += weights[i] * out.outputs.back()[i];
    const Tensor part = sum(y * w);
    loss = loss.defined() ? loss + part : part;
  }
  if (loss.defined() && loss.requires_grad()) backward(loss);
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    out.gradients.push_back(inputs[i].grad().defined() ? inputs[i].grad().to_vector<double>()
                                                       : Values());
  }
  return out;
}

/// max |a - b|, and the largest magnitude in b.
struct Difference {
  double largest = 0, scale = 0;
};
inline Difference difference(const Values& a, const Values& b) {
  Difference d;
  if (a.size() != b.size()) return {INFINITY, 0};
  for (std::size_t i = 0; i < a.size(); ++i) {
    d.largest = std::max(d.largest, std::abs(a[i] - b[i]));
    if (!(std::abs(a[i] - b[i]) <= d.largest)) d.largest = INFINITY;  // NaN
    d.scale = std::max(d.scale, std::abs(b[i]));
  }
  return d;
}

}  // namespace eflow::test
