#pragma once
// Renders clips as images: a contact sheet (one row per clip, frames from left to right) and a
// montage (an animation of all clips side by side).

#include <span>
#include <vector>

#include "eflow/core/base/export.hpp"
#include "eflow/core/base/shape.hpp"
#include "eflow/io/media/image.hpp"

EFLOW_EXPORT_BEGIN

namespace eflow::io {

struct SheetOptions {
  int scale = 0;     ///< integer enlargement of each pixel; 0 chooses the smallest scale at which a
                     ///< frame is at least 64 pixels high and wide
  int gap = 2;       ///< pixels between the frames of a clip
  int clip_gap = 6;  ///< pixels between clips and around the sheet
  Rgb background = {24, 24, 28};
};

/// Draws clips of shape [N, C, T, H, W], with C = 1 (grey) or 3 (RGB) and values in [-1, 1]. Values
/// outside the range are clamped; pixels that are not finite are drawn in magenta to stand out.
/// Throws ShapeError for another rank or C, or if `clips` does not have the size of `shape`;
/// InvalidArgument for an image larger than 2^28 pixels.
[[nodiscard]] Image contact_sheet(std::span<const float> clips, const Shape& shape,
                                  const SheetOptions& options = {});

/// Returns the T frames of an animation that shows all clips in a grid with `columns` columns (0:
/// roughly square). Takes the same inputs and throws the same errors as contact_sheet().
[[nodiscard]] std::vector<Image> montage(std::span<const float> clips, const Shape& shape,
                                         int columns = 0, const SheetOptions& options = {});

}  // namespace eflow::io

EFLOW_EXPORT_END
