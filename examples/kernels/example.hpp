#pragma once
// What the examples of this folder share: a kernel of one of its texts, random tensors, and the
// distance of a result from one computed in f64.

#include <algorithm>
#include <cmath>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <string>
#include <vector>

#include "eflow/core/tensor/device.hpp"
#include "eflow/core/tensor/tensor.hpp"
#include "eflow/examples/kernels/arguments.hpp"
#include "eflow/jit/runtime.hpp"

namespace examples {

using eflow::DevicePtr;
using eflow::DType;
using eflow::Tensor;

/// A specialisation of a text of this folder, compiled for the device. `expression` is its C++ name:
/// "softmax<$t0, $c0>", with the dtype for $t0 and the constants for $c0, $c1, ...
class Kernel {
 public:
  Kernel(DevicePtr device, const std::string& file, const std::string& expression, DType dtype,
         std::initializer_list<int> constants = {})
      : device_(std::move(device)),
        name_(expression.substr(0, expression.find('<'))),
        spec_(name_, {dtype}, constants) {
    std::ifstream text(std::string(EFLOW_EXAMPLE_TEXTS "/") + file);
    if (!text) throw std::runtime_error("no text " EFLOW_EXAMPLE_TEXTS "/" + file);
    eflow::jit::Runtime& runtime = device_->runtime();
    runtime.add_text("examples/kernels/" + file, {std::istreambuf_iterator<char>(text), {}});
    runtime.define({.name = name_,
                    .text = "examples/kernels/" + file,
                    .expression = expression,
                    .threads = 128});
    const auto made = runtime.prepare({{name_, spec_}});
    if (!made[0].ok()) throw std::runtime_error(made[0].error);
  }

  template <class Args>
  void operator()(eflow::jit::Grid grid, const Args& args) const {
    device_->launch(name_, spec_, grid, args);
  }

 private:
  DevicePtr device_;
  std::string name_;
  eflow::jit::KernelSpec spec_;
};

inline Index blocks(Index count, Index per_block) {
  return (count + per_block - 1) / per_block;
}

/// Numbers in [-1, 1), rounded to the dtype; the same for the same seed.
inline Tensor random(const eflow::Shape& shape, DType dtype, const DevicePtr& device,
                     unsigned seed) {
  std::vector<float> values(static_cast<std::size_t>(eflow::element_count(shape)));
  for (float& x : values) {
    seed = seed * 1664525u + 1013904223u;
    x = static_cast<float>(seed >> 8) / 8388608.0f - 1;
  }
  const Tensor out = Tensor::empty(shape, dtype, device);
  out.assign(Tensor::from(values, shape, device));
  return out;
}

/// The largest |result - expected| / (1 + |expected|), where expected(i) is element i in f64.
template <class F>
double error_of(const Tensor& result, F expected) {
  const std::vector<double> got = result.to_vector<double>();
  double worst = 0;
  for (std::size_t i = 0; i < got.size(); ++i) {
    const double e = expected(i), d = std::abs(got[i] - e) / (1 + std::abs(e));
    worst = d <= worst ? worst : d;  // NaN counts
  }
  return worst;
}

/// Each runs its kernels with tensors of the dtype, f32 or bf16, and returns the error.
double vector_add(const DevicePtr& device, DType dtype);
double softmax(const DevicePtr& device, DType dtype);
double dropout(const DevicePtr& device, DType dtype);
double matmul(const DevicePtr& device, DType dtype);
double layer_norm(const DevicePtr& device, DType dtype);
double layer_norm_grad(const DevicePtr& device, DType dtype);
double attention(const DevicePtr& device, DType dtype);
double grouped_gemm(const DevicePtr& device, DType dtype);
double cumsum(const DevicePtr& device, DType dtype);
double gather_scatter(const DevicePtr& device, DType dtype);

struct Example {
  const char* name;
  double (*run)(const DevicePtr& device, DType dtype);
};
inline constexpr Example kExamples[] = {
    {"vector_add", vector_add}, {"softmax", softmax},
    {"dropout", dropout},       {"matmul", matmul},
    {"layer_norm", layer_norm}, {"layer_norm_grad", layer_norm_grad},
    {"attention", attention},   {"grouped_gemm", grouped_gemm},
    {"cumsum", cumsum},         {"gather_scatter", gather_scatter},
};
/// Half a unit in the last place of bf16 is 2^-9 of a number; sums in f32 lose little more.
inline double limit(DType dtype) {
  return dtype == DType::kF32 ? 5e-6 : 1.0 / 128;
}

}  // namespace examples
