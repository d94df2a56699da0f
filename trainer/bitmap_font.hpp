#pragma once
// Letters of 5 x 7 pixels and boxes: enough to label a chart without a font library. Capitals,
// digits and a little punctuation; small letters are drawn as capitals, what is unknown as a gap.

#include <string_view>

#include "eflow/io/image.hpp"

namespace eflow::trainer {

/// Pixels that a text takes; it is 7 * scale high.
[[nodiscard]] int text_width(std::string_view text, int scale);
/// Draws from the upper left corner (x, y) on; what is outside the picture is cut off.
void draw_text(io::Image* image, int x, int y, std::string_view text, io::Rgb colour, int scale);
void fill_box(io::Image* image, int x, int y, int width, int height, io::Rgb colour);

}  // namespace eflow::trainer
