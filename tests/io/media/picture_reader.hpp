#pragma once
// Decodes images with the libraries' own decoders, to check the files we write.

#include <png.h>
#include <webp/decode.h>
#include <webp/mux.h>

#include <memory>
#include <string>
#include <vector>

#include "eflow/io/media/image.hpp"
#include "eflow/tests/io/io_support.hpp"

namespace eflow::test {

inline io::Image read_png(const fs::path& path) {
  png_image header{};
  header.version = PNG_IMAGE_VERSION;
  if (!png_image_begin_read_from_file(&header, path.c_str())) throw std::runtime_error("png");
  header.format = PNG_FORMAT_RGB;
  io::Image image(static_cast<int>(header.width), static_cast<int>(header.height));
  if (!png_image_finish_read(&header, nullptr, image.rgb.data(), 0, nullptr)) {
    throw std::runtime_error("png");
  }
  return image;
}

struct Animation {
  int loops = 0;
  std::vector<io::Image> frames;
  std::vector<int> end_ms;
};

/// Draws one decoded rectangle onto the canvas, either replacing all pixels or only where opaque.
inline void draw(io::Image& canvas, const WebPMuxFrameInfo& info) {
  int width = 0, height = 0;
  const std::unique_ptr<std::uint8_t, decltype(&WebPFree)> rgba(
      WebPDecodeRGBA(info.bitstream.bytes, info.bitstream.size, &width, &height), &WebPFree);
  if (!rgba) throw std::runtime_error("webp frame");
  for (int y = 0; y < height; ++y) {
    for (int x = 0; x < width; ++x) {
      const std::uint8_t* from = rgba.get() + 4 * (y * width + x);
      if (info.blend_method == WEBP_MUX_NO_BLEND || from[3] != 0) {
        std::copy(from, from + 3, canvas.at(info.x_offset + x, info.y_offset + y));
      }
    }
  }
}

inline Animation read_webp(const fs::path& path) {
  const std::string bytes = slurp(path);
  const WebPData data{reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size()};
  const std::unique_ptr<WebPMux, decltype(&WebPMuxDelete)> mux(WebPMuxCreate(&data, 0),
                                                               &WebPMuxDelete);
  if (!mux) throw std::runtime_error("no webp");
  Animation out;
  WebPMuxAnimParams parameters;
  int width = 0, height = 0;
  WebPMuxGetCanvasSize(mux.get(), &width, &height);
  if (WebPMuxGetAnimationParams(mux.get(), &parameters) != WEBP_MUX_OK) {
    throw std::runtime_error("no animation");
  }
  out.loops = parameters.loop_count;
  io::Image canvas(width, height);
  WebPMuxFrameInfo info;
  for (std::uint32_t i = 1; WebPMuxGetFrame(mux.get(), i, &info) == WEBP_MUX_OK; ++i) {
    draw(canvas, info);
    out.frames.push_back(canvas);
    out.end_ms.push_back((out.end_ms.empty() ? 0 : out.end_ms.back()) + info.duration);
    WebPDataClear(&info.bitstream);
    if (info.dispose_method == WEBP_MUX_DISPOSE_BACKGROUND) canvas = io::Image(width, height);
  }
  return out;
}

}  // namespace eflow::test
