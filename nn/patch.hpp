#pragma once
// Conversion between videos and tokens: cutting a video into patches, and assembling a video from
// predicted patches.

#include "eflow/nn/linear.hpp"
#include "eflow/nn/rope3d.hpp"

namespace eflow::nn {

/// Size of a patch, in frames and (latent) pixels.
struct Patch {
  std::int64_t t = 1, h = 2, w = 2;
  [[nodiscard]] std::int64_t count() const { return t * h * w; }
  friend bool operator==(const Patch&, const Patch&) = default;
};

/// Returns the token grid of a video. Throws ShapeError if the patch does not divide it.
[[nodiscard]] Grid3 token_grid(std::int64_t frames, std::int64_t height, std::int64_t width,
                               const Patch& patch);

/// x [B, C, T, H, W] -> [B, N, C pt ph pw], channel order (C, pt, ph, pw).
[[nodiscard]] Tensor to_patches(const Tensor& x, const Patch& patch);
/// y [B, N, pt ph pw C], channel order (pt, ph, pw, C) -> [B, C, T, H, W].
[[nodiscard]] Tensor from_patches(const Tensor& y, const Patch& patch, const Grid3& grid);

/// Linear projection of each patch: a convolution whose stride equals its kernel.
class PatchEmbed : public Module {
 public:
  PatchEmbed(const Scope& scope, std::int64_t channels, const Patch& patch, std::int64_t width);
  /// x [B, C, T, H, W] -> [B, N, width]
  [[nodiscard]] Tensor operator()(const Tensor& x) const { return proj_(to_patches(x, patch_)); }

 private:
  Patch patch_;
  Linear proj_;
};

}  // namespace eflow::nn
