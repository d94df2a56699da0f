#pragma once
// Depthwise 3 x 3 convolution over each frame of a token raster, with zero padding. Composed of
// nine shifted products.

#include "eflow/nn/layers/rope3d.hpp"

namespace eflow::nn {

/// x [B, N, C] with N = grid.count(), weight [9, C] (row-major 3 x 3 taps), bias [C] -> [B, N, C].
/// Throws ShapeError if they do not fit.
[[nodiscard]] Tensor depthwise_3x3(const Tensor& x, const Grid3& grid, const Tensor& weight,
                                   const Tensor& bias);

}  // namespace eflow::nn
