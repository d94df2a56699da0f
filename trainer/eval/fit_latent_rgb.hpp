#pragma once
// Fits the colours of latents to the pixels that they encode, by least squares.

#include "eflow/core/base/export.hpp"
#include "eflow/io/dataset/clip_source.hpp"
#include "eflow/io/media/latent_rgb.hpp"

EFLOW_EXPORT_BEGIN

namespace eflow::trainer {

struct LatentRgbFit {
  io::LatentRgb rgb = {};
  double explained = 0;  ///< share of the pixels' variance that the map explains
};

/// Clip i of `latents` must encode clip i of `pixels` [3, T', H', W']. Pixels are averaged over the
/// patch of a latent. If T' = 1 + r (T - 1) with a power of two r, latent frame 0 stands for pixel
/// frame 0 and the others for r each, as causal encoders have it; otherwise each stands for T' / T.
/// Uses at most `clips` clips. Throws InvalidArgument if the two do not fit each other.
[[nodiscard]] LatentRgbFit fit_latent_rgb(const io::ClipSource& latents,
                                          const io::ClipSource& pixels, std::int64_t clips);

}  // namespace eflow::trainer

EFLOW_EXPORT_END
