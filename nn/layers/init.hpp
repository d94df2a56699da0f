#pragma once
// Parameter initialisers. Initial values depend only on a key, the parameter's full name and its
// shape, not on the order of construction or on other parameters. They are drawn in f32 and
// converted, so an f64 model starts at the same values.

#include <functional>
#include <string>

#include "eflow/core/base/export.hpp"
#include "eflow/core/tensor/random_key.hpp"
#include "eflow/core/tensor/tensor.hpp"

EFLOW_EXPORT_BEGIN

namespace eflow::nn {

/// RandomKey::purpose of parameter initialisation.
inline constexpr std::uint32_t kInitPurpose = 1;

/// The inputs of an initialiser.
struct InitRequest {
  std::string name = {};  ///< dotted, from the root
  Shape shape = {};
  DType dtype = DType::kF32;
  DevicePtr device = {};
  RandomKey key = {};
};

using Init = std::function<Tensor(const InitRequest&)>;

[[nodiscard]] Init constant_init(double value);
/// N(0, deviation^2).
[[nodiscard]] Init normal_init(double deviation);
/// U(-a, a), a = sqrt(6 / (fan_in + fan_out)).   [Glorot & Bengio 2010, Eq. 16]
[[nodiscard]] Init xavier_uniform(std::int64_t fan_in, std::int64_t fan_out);

}  // namespace eflow::nn

EFLOW_EXPORT_END
