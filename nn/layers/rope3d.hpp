#pragma once
// Rotary position embedding (RoPE) over time, height and width: each axis rotates its own share of
// a head's channel pairs. Tables hold the angles of the whole token grid. Kept tokens gather their
// rows, so they keep their original positions. [arXiv 2104.09864; Wan 2.1]

#include <array>
#include <compare>

#include "eflow/core/base/export.hpp"
#include "eflow/core/tensor/ops.hpp"
#include "eflow/nn/layers/grid.hpp"

EFLOW_EXPORT_BEGIN

namespace eflow::nn {

/// Returns the number of a head's channels that t, h and w rotate: of c = d / 2 pairs,
/// c_h = c_w = floor(c / 3) and c_t the rest. Throws InvalidArgument unless d is positive and even.
[[nodiscard]] std::array<std::int64_t, 3> rope_axis_channels(std::int64_t head_width);

/// cos and sin of the angles.
struct RopeTables {
  Tensor cos = {}, sin = {};

  /// Returns the tables of a grid: [N, d/2] in raster order, theta = 10000.
  [[nodiscard]] static RopeTables of_grid(const Grid3& grid, std::int64_t head_width, DType dtype,
                                          const DevicePtr& device);
  /// Returns the rows of kept tokens. ids: i64 [B, M] -> [B, M, d/2]
  [[nodiscard]] RopeTables at(const Tensor& ids) const;
  /// Rotates x, [B, N, H d] or [B, N, H, d]; returns the same shape.
  [[nodiscard]] Tensor operator()(const Tensor& x, int heads) const {
    return rope(x, cos, sin, heads);
  }
};

}  // namespace eflow::nn

EFLOW_EXPORT_END
