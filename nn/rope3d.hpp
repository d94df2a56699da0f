#pragma once
// Rotary position embedding over (time, height, width): a part of every head's pairs turns with
// each axis. Tables hold the angles of the whole token grid; kept tokens take their rows out of
// them, so they keep their original places. [arXiv 2104.09864; Wan 2.1]

#include <array>
#include <compare>

#include "eflow/core/ops.hpp"

namespace eflow::nn {

/// Tokens in each direction; raster order is t-major, then h, then w.
struct Grid3 {
  std::int64_t t = 1, h = 1, w = 1;
  [[nodiscard]] std::int64_t count() const { return t * h * w; }
  friend auto operator<=>(const Grid3&, const Grid3&) = default;
};

/// How many of a head's channels turn with t, h, w: c = d / 2 pairs, c_h = c_w = floor(c / 3), c_t
/// the rest. Throws InvalidArgument for an odd d.
[[nodiscard]] std::array<std::int64_t, 3> rope_axis_channels(std::int64_t head_width);

/// cos and sin of the angles.
struct RopeTables {
  Tensor cos, sin;

  /// [N, d/2] in raster order, theta = 10000.
  [[nodiscard]] static RopeTables of_grid(const Grid3& grid, std::int64_t head_width, DType dtype,
                                          const DevicePtr& device);
  /// The rows of kept tokens, ids i64 [B, M] -> [B, M, d/2].
  [[nodiscard]] RopeTables at(const Tensor& ids) const;
  /// Turns x [B, N, H d].
  [[nodiscard]] Tensor operator()(const Tensor& x, int heads) const {
    return rope(x, cos, sin, heads);
  }
};

}  // namespace eflow::nn
