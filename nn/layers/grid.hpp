#pragma once
// Grid3 and Patch: how many tokens a clip has in each direction, and what of it one token is.

#include <compare>
#include <cstdint>

#include "eflow/core/base/export.hpp"

EFLOW_EXPORT_BEGIN

namespace eflow::nn {

/// Number of tokens along each axis. Raster order is t, then h, then w (fastest).
struct Grid3 {
  std::int64_t t = 1, h = 1, w = 1;
  [[nodiscard]] std::int64_t count() const { return t * h * w; }
  friend auto operator<=>(const Grid3&, const Grid3&) = default;
};

/// Size of a patch, in frames and (latent) pixels.
struct Patch {
  std::int64_t t = 1, h = 2, w = 2;
  [[nodiscard]] std::int64_t count() const { return t * h * w; }
  friend bool operator==(const Patch&, const Patch&) = default;
};

/// Returns the token grid of a video. Throws ShapeError if the patch does not divide it.
[[nodiscard]] Grid3 token_grid(std::int64_t frames, std::int64_t height, std::int64_t width,
                               const Patch& patch);

}  // namespace eflow::nn

EFLOW_EXPORT_END
