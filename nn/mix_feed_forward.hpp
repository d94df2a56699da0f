#pragma once
// Mix-FFN: a gated feed-forward whose tokens also see their neighbours in the frame, as linear
// attention alone is blind to what is near.  [NVlabs/Sana, GLUMBConv without its temporal part]
//
//   (a, g) = conv3x3(SiLU(W_up x + b)),   y = W_down (a SiLU(g))

#include "eflow/nn/linear.hpp"
#include "eflow/nn/rope3d.hpp"

namespace eflow::nn {

/// The frame in which `tokens` of a grid are neighbours: the grid itself where all are there; where
/// a quarter was kept, frames of half the height and width, filled in raster order; else one row.
[[nodiscard]] Grid3 packed_grid(const Grid3& grid, std::int64_t tokens);

class MixFeedForward : public Module {
 public:
  MixFeedForward(const Scope& scope, std::int64_t width, std::int64_t hidden);
  /// x [B, N, width], tokens of `grid` or what is kept of them -> [B, N, width], of the weights'
  /// dtype
  [[nodiscard]] Tensor operator()(const Tensor& x, const Grid3& grid) const;

 private:
  std::int64_t hidden_;
  Linear up_;
  Tensor weight_, bias_;
  Linear down_;
};

}  // namespace eflow::nn
