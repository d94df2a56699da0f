#pragma once
// An 8-bit RGB image in memory, shared by contact sheets, PNG and WebP.

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "eflow/core/base/export.hpp"

EFLOW_EXPORT_BEGIN

namespace eflow::io {

using Rgb = std::array<std::uint8_t, 3>;

/// An image of height * width RGB pixels.
struct Image {
  int width = 0, height = 0;
  std::vector<std::uint8_t> rgb{};  ///< height * width * 3 values, rows from top to bottom

  Image() = default;
  /// Throws InvalidArgument for a negative size.
  Image(int w, int h, Rgb fill = {0, 0, 0});
  /// The three channels of the pixel in column x of row y. Not bounds-checked.
  [[nodiscard]] std::uint8_t* at(int x, int y) {
    return rgb.data() + (static_cast<std::size_t>(y) * static_cast<std::size_t>(width) +
                         static_cast<std::size_t>(x)) *
                            3;
  }
  [[nodiscard]] const std::uint8_t* at(int x, int y) const {
    return const_cast<Image*>(this)->at(x, y);
  }
  friend bool operator==(const Image&, const Image&) = default;
};

}  // namespace eflow::io

EFLOW_EXPORT_END
