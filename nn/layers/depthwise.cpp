#include "eflow/nn/layers/depthwise.hpp"

#include "eflow/core/base/error.hpp"
#include "eflow/core/tensor/ops.hpp"

namespace eflow::nn {
namespace {

/// Pads an axis with one zero at each end.
Tensor padded(const Tensor& x, int axis) {
  Shape shape = x.shape();
  shape[axis] = 1;
  const Tensor edge = Tensor::zeros(shape, x.dtype(), x.device());
  return concat({edge, x, edge}, axis);
}

}  // namespace

Tensor depthwise_3x3(const Tensor& x, const Grid3& grid, const Tensor& weight, const Tensor& bias) {
  const std::int64_t channels = x.rank() == 3 ? x.size(2) : 0;
  if (x.rank() != 3 || x.size(1) != grid.count() || weight.shape() != Shape{9, channels} ||
      bias.shape() != Shape{channels}) {
    throw ShapeError(str("[depthwise] x is ", x, ", weight ", weight, ", bias ", bias,
                         "; expected [B, ", grid.count(), ", C], [9, C] and [C]"));
  }
  const std::int64_t frames = x.size(0) * grid.t;
  const Tensor wide = padded(padded(reshape(x, {frames, grid.h, grid.w, channels}), 1), 2);
  Tensor y = bias;
  for (int i = 0; i < 9; ++i) {
    const Tensor shifted = narrow(narrow(wide, 1, i / 3, grid.h), 2, i % 3, grid.w);
    y = mul_add(shifted, narrow(weight, 0, i, 1), y);
  }
  return reshape(y, x.shape());
}

}  // namespace eflow::nn
