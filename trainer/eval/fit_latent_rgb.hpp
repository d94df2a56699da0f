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
/// patch of a latent; latent frame 0 stands for pixel frame 0 and the others for equal shares of
/// the rest, as causal encoders have it, unless T' is a multiple of T. Uses at most `clips` clips.
/// Throws InvalidArgument if the two do not fit each other.
[[nodiscard]] LatentRgbFit fit_latent_rgb(const io::ClipSource& latents,
                                          const io::ClipSource& pixels, std::int64_t clips);

}  // namespace eflow::trainer

EFLOW_EXPORT_END
