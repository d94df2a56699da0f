#pragma once
// Mix-FFN: a gated feed-forward with a convolution over the frame, which gives linear attention the
// locality that it lacks. [NVlabs/Sana, GLUMBConv without its temporal part]
//
//   (a, g) = conv3x3(SiLU(W_up x + b)),   y = W_down (a SiLU(g))

#include "eflow/core/base/export.hpp"
#include "eflow/nn/layers/linear.hpp"
#include "eflow/nn/layers/rope3d.hpp"

EFLOW_EXPORT_BEGIN

namespace eflow::nn {

/// Returns the grid on which `tokens` kept tokens are convolved, filled in raster order: the grid
/// itself if all are kept, frames of half the height and width if a quarter is kept, else one row.
[[nodiscard]] Grid3 packed_grid(const Grid3& grid, std::int64_t tokens);

class MixFeedForward : public Module {
 public:
  MixFeedForward(const Scope& scope, std::int64_t width, std::int64_t hidden);
  /// x [B, N, width], all or the kept tokens of `grid` -> [B, N, width] in the weights' dtype
  [[nodiscard]] Tensor operator()(const Tensor& x, const Grid3& grid) const;

 private:
  std::int64_t hidden_;
  Linear up_;
  Tensor weight_, bias_;
  Linear down_;
};

}  // namespace eflow::nn

EFLOW_EXPORT_END
