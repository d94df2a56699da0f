#pragma once
// Clips as pictures: a sheet (one row per clip, frames from left to right) and a montage (clips
// side by side, moving).

#include <span>
#include <vector>

#include "eflow/base/shape.hpp"
#include "eflow/io/image.hpp"

namespace eflow::io {

struct SheetOptions {
  int scale = 0;     ///< whole-number enlargement of each pixel; 0 picks one so that a frame is 64
                     ///< pixels or more
  int gap = 2;       ///< pixels between frames of a clip
  int clip_gap = 6;  ///< pixels between clips and around the sheet
  Rgb background = {24, 24, 28};
};

/// clips  [N, C, T, H, W] floats in [-1, 1], C = 1 (grey) or 3 (RGB); values outside are clamped,
/// and a pixel that is
///        not finite is drawn magenta so that nobody overlooks it.
/// Throws ShapeError for another rank or C, or a span that is not that large; InvalidArgument for a
/// picture larger than 2^28 pixels.
[[nodiscard]] Image contact_sheet(std::span<const float> clips, const Shape& shape,
                                  const SheetOptions& options = {});

/// The T frames of an animation that shows all clips in a grid of `columns` (0: about square).
[[nodiscard]] std::vector<Image> montage(std::span<const float> clips, const Shape& shape,
                                         int columns = 0, const SheetOptions& options = {});

}  // namespace eflow::io
