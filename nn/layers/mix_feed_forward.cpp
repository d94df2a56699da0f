#include "eflow/nn/layers/mix_feed_forward.hpp"

#include "eflow/core/tensor/ops.hpp"
#include "eflow/nn/layers/depthwise.hpp"

namespace eflow::nn {

Grid3 packed_grid(const Grid3& grid, std::int64_t tokens) {
  if (tokens == grid.count()) return grid;
  const Grid3 quarter{grid.t, grid.h / 2, grid.w / 2};
  return tokens == quarter.count() ? quarter : Grid3{1, 1, tokens};
}

MixFeedForward::MixFeedForward(const Scope& scope, std::int64_t width, std::int64_t hidden)
    : Module(scope),
      hidden_(hidden),
      up_(child("up"), width, 2 * hidden),
      weight_(parameter("conv.weight", {9, 2 * hidden}, xavier_uniform(9, 9))),
      bias_(parameter("conv.bias", {2 * hidden}, constant_init(0))),
      down_(child("down"), hidden, width, xavier_uniform(hidden, width), Bias::kNone) {}

Tensor MixFeedForward::operator()(const Tensor& x, const Grid3& grid) const {
  const Tensor near = depthwise_3x3(silu(up_(x)), packed_grid(grid, x.size(1)),
                                    cast(weight_, x.dtype()), cast(bias_, x.dtype()));
  const std::vector<Tensor> parts = split(near, {hidden_, hidden_}, 2);
  return down_.widened(parts[0] * silu(parts[1]));
}

}  // namespace eflow::nn
