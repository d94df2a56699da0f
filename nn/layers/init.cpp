#include "eflow/nn/layers/init.hpp"

#include <cmath>

#include "eflow/core/base/hash.hpp"
#include "eflow/core/tensor/device.hpp"
#include "eflow/core/tensor/ops.hpp"

namespace eflow::nn {
namespace {

using Draw = Tensor (*)(const Shape&, const RandomKey&, const std::vector<std::int64_t>&, DType,
                        const DevicePtr&);

/// The hash of the name serves as the sample id, so each parameter has its own random stream.
Tensor draw(Draw distribution, const InitRequest& r, double scale, double offset) {
  const NoGrad off;
  RandomKey key = r.key;
  key.purpose = kInitPurpose;
  const auto id = static_cast<std::int64_t>(hash64(r.name) >> 1);
  const Tensor row = distribution({1, element_count(r.shape)}, key, {id}, DType::kF32, r.device);
  return contiguous(cast(reshape(affine(row, scale, offset), r.shape), r.dtype));
}

}  // namespace

Init constant_init(double value) {
  return [value](const InitRequest& r) { return Tensor::full(r.shape, value, r.dtype, r.device); };
}

Init normal_init(double deviation) {
  return [deviation](const InitRequest& r) { return draw(random_normal, r, deviation, 0); };
}

Init xavier_uniform(std::int64_t fan_in, std::int64_t fan_out) {
  const double bound = std::sqrt(6.0 / static_cast<double>(fan_in + fan_out));
  return [bound](const InitRequest& r) { return draw(random_uniform, r, 2 * bound, -bound); };
}

}  // namespace eflow::nn
