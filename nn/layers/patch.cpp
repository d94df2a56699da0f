#include "eflow/nn/layers/patch.hpp"

#include "eflow/core/base/error.hpp"
#include "eflow/core/tensor/ops.hpp"

namespace eflow::nn {

Grid3 token_grid(std::int64_t frames, std::int64_t height, std::int64_t width, const Patch& patch) {
  if (frames % patch.t != 0 || height % patch.h != 0 || width % patch.w != 0) {
    throw ShapeError(str("[patch] a video of ", frames, "x", height, "x", width,
                         " is not divisible by the patch ", patch.t, "x", patch.h, "x", patch.w,
                         "; choose a patch that divides it"));
  }
  return {frames / patch.t, height / patch.h, width / patch.w};
}

Tensor to_patches(const Tensor& x, const Patch& patch) {
  if (x.rank() != 5) throw ShapeError(str("[patch] expected a video [B, C, T, H, W], found ", x));
  const std::int64_t batch = x.size(0), channels = x.size(1);
  const Grid3 grid = token_grid(x.size(2), x.size(3), x.size(4), patch);
  const Tensor cut =
      reshape(x, {batch, channels, grid.t, patch.t, grid.h, patch.h, grid.w, patch.w});
  return reshape(permute(cut, {0, 2, 4, 6, 1, 3, 5, 7}),
                 {batch, grid.count(), channels * patch.count()});
}

Tensor from_patches(const Tensor& y, const Patch& patch, const Grid3& grid) {
  const std::int64_t batch = y.size(0), channels = y.size(2) / patch.count();
  const Tensor cut =
      reshape(y, {batch, grid.t, grid.h, grid.w, patch.t, patch.h, patch.w, channels});
  return reshape(permute(cut, {0, 7, 1, 4, 2, 5, 3, 6}),
                 {batch, channels, grid.t * patch.t, grid.h * patch.h, grid.w * patch.w});
}

PatchEmbed::PatchEmbed(const Scope& scope, std::int64_t channels, const Patch& patch,
                       std::int64_t width)
    : Module(scope), patch_(patch), proj_(child("proj"), channels * patch.count(), width) {}

}  // namespace eflow::nn
