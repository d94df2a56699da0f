#include "eflow/io/media/contact_sheet.hpp"

#include <algorithm>
#include <cmath>

#include "eflow/core/base/error.hpp"

namespace eflow::io {
namespace {

constexpr std::int64_t kMaxPixels = std::int64_t{1} << 28;
constexpr int kComfortable = 64;  // smallest frame side, in pixels, when the scale is automatic
constexpr Rgb kNotFinite = {255, 0, 255};

/// A batch of clips with its checked sizes.
struct Clips {
  std::span<const float> values;
  std::int64_t n, c, t, h, w;

  Clips(std::span<const float> data, const Shape& shape) : values(data) {
    if (shape.rank() != 5 || (shape[1] != 1 && shape[1] != 3) || element_count(shape) < 1) {
      throw ShapeError(str("[contact sheet] clips are ", shape,
                           "; expected [N, C, T, H, W] with C = 1 or 3 and no size 0"));
    }
    if (static_cast<std::int64_t>(data.size()) != element_count(shape)) {
      throw ShapeError(str("[contact sheet] ", data.size(), " values for clips of shape ", shape));
    }
    n = shape[0], c = shape[1], t = shape[2], h = shape[3], w = shape[4];
  }

  [[nodiscard]] float at(std::int64_t clip, std::int64_t channel, std::int64_t frame,
                         std::int64_t y, std::int64_t x) const {
    return values[static_cast<std::size_t>((((clip * c + channel) * t + frame) * h + y) * w + x)];
  }
};

Rgb colour_at(const Clips& clips, std::int64_t clip, std::int64_t frame, std::int64_t y,
              std::int64_t x) {
  Rgb out;
  for (std::size_t k = 0; k < 3; ++k) {
    const float value =
        clips.at(clip, clips.c == 3 ? static_cast<std::int64_t>(k) : 0, frame, y, x);
    if (!std::isfinite(value)) return kNotFinite;
    out[k] = static_cast<std::uint8_t>(std::lround((std::clamp(value, -1.f, 1.f) + 1.f) * 127.5f));
  }
  return out;
}

/// Draws one frame with its upper left corner at (left, top), each pixel as a square of `scale`.
void draw_frame(Image& image, const Clips& clips, std::int64_t clip, std::int64_t frame, int left,
                int top, int scale) {
  for (std::int64_t y = 0; y < clips.h * scale; ++y) {
    for (std::int64_t x = 0; x < clips.w * scale; ++x) {
      const Rgb colour = colour_at(clips, clip, frame, y / scale, x / scale);
      std::copy(colour.begin(), colour.end(),
                image.at(left + static_cast<int>(x), top + static_cast<int>(y)));
    }
  }
}

int scale_for(const Clips& clips, const SheetOptions& options) {
  if (options.scale < 0 || options.gap < 0 || options.clip_gap < 0 ||
      std::max({options.scale, options.gap, options.clip_gap}) > 1024) {
    throw InvalidArgument("[contact sheet] scale and gaps must be in 0 to 1024");
  }
  if (options.scale > 0) return options.scale;
  const std::int64_t side = std::min(clips.h, clips.w);
  return static_cast<int>(std::max<std::int64_t>(1, (kComfortable + side - 1) / side));
}

Image canvas(std::int64_t width, std::int64_t height, Rgb background) {
  if (width > kMaxPixels || height > kMaxPixels || width * height > kMaxPixels) {
    throw InvalidArgument(str("[contact sheet] an image of ", width, " x ", height,
                              " pixels is too large; use fewer clips or a smaller scale"));
  }
  return Image(static_cast<int>(width), static_cast<int>(height), background);
}

}  // namespace

Image contact_sheet(std::span<const float> values, const Shape& shape,
                    const SheetOptions& options) {
  const Clips clips(values, shape);
  const int scale = scale_for(clips, options), border = options.clip_gap;
  const std::int64_t step_x = clips.w * scale + options.gap, step_y = clips.h * scale + border;
  Image sheet = canvas(clips.t * step_x - options.gap + 2 * border, clips.n * step_y + border,
                       options.background);
  for (std::int64_t clip = 0; clip < clips.n; ++clip) {
    for (std::int64_t frame = 0; frame < clips.t; ++frame) {
      draw_frame(sheet, clips, clip, frame, static_cast<int>(border + frame * step_x),
                 static_cast<int>(border + clip * step_y), scale);
    }
  }
  return sheet;
}

std::vector<Image> montage(std::span<const float> values, const Shape& shape, int columns,
                           const SheetOptions& options) {
  const Clips clips(values, shape);
  if (columns < 0)
    throw InvalidArgument(str("[montage] columns is ", columns, ", expected 0 or more"));
  const int scale = scale_for(clips, options), border = options.clip_gap;
  if (columns == 0) {
    columns = static_cast<int>(std::ceil(std::sqrt(static_cast<double>(clips.n))));
  }
  columns = static_cast<int>(std::min<std::int64_t>(columns, clips.n));
  const std::int64_t rows = (clips.n + columns - 1) / columns;
  const std::int64_t step_x = clips.w * scale + border, step_y = clips.h * scale + border;
  std::vector<Image> frames;
  for (std::int64_t frame = 0; frame < clips.t; ++frame) {
    frames.push_back(canvas(columns * step_x + border, rows * step_y + border, options.background));
    for (std::int64_t clip = 0; clip < clips.n; ++clip) {
      draw_frame(frames.back(), clips, clip, frame,
                 static_cast<int>(border + clip % columns * step_x),
                 static_cast<int>(border + clip / columns * step_y), scale);
    }
  }
  return frames;
}

}  // namespace eflow::io
