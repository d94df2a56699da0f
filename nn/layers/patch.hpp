#pragma once
// Conversion between videos and tokens: cutting a video into patches, and assembling a video from
// predicted patches.

#include "eflow/core/base/export.hpp"
#include "eflow/nn/layers/grid.hpp"
#include "eflow/nn/layers/linear.hpp"

EFLOW_EXPORT_BEGIN

namespace eflow::nn {

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

EFLOW_EXPORT_END
