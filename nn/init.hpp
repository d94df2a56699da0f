#pragma once
// Initial values of parameters, as pure functions of a key, the parameter's full name and its
// shape: neither the order in which modules are built nor what else the model holds changes them.
// Drawn in f32 and converted, so that a model in f64 starts at the same numbers.

#include <functional>
#include <string>

#include "eflow/core/ops.hpp"

namespace eflow::nn {

/// The `purpose` of the random numbers that parameters start from.
inline constexpr std::uint32_t kInitPurpose = 1;

/// What an initialiser may look at.
struct InitRequest {
  std::string name;  ///< dotted, from the root
  Shape shape;
  DType dtype = DType::kF32;
  DevicePtr device;
  RandomKey key;
};

using Init = std::function<Tensor(const InitRequest&)>;

[[nodiscard]] Init constant_init(double value);
/// N(0, deviation^2)
[[nodiscard]] Init normal_init(double deviation);
/// U(-a, a), a = sqrt(6 / (fan_in + fan_out)).   [Glorot & Bengio 2010, Eq. 16]
[[nodiscard]] Init xavier_uniform(std::int64_t fan_in, std::int64_t fan_out);

}  // namespace eflow::nn
