#pragma once
// A depthwise convolution over the frames of a token raster: each channel with its own 3 x 3
// weights, zeros beyond the edges. Nine shifted products on plain ops.

#include "eflow/nn/rope3d.hpp"

namespace eflow::nn {

/// x [B, grid.count(), C], weight [9, C] (rows above to below, columns left to right), bias [C]
/// -> [B, N, C]. Throws ShapeError.
[[nodiscard]] Tensor depthwise_3x3(const Tensor& x, const Grid3& grid, const Tensor& weight,
                                   const Tensor& bias);

}  // namespace eflow::nn
