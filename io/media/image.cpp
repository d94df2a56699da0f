#include "eflow/io/media/image.hpp"

#include "eflow/core/base/error.hpp"

namespace eflow::io {

Image::Image(int w, int h, Rgb fill) : width(w), height(h) {
  if (w < 0 || h < 0) throw InvalidArgument(str("[image] invalid size ", w, " x ", h));
  rgb.resize(static_cast<std::size_t>(w) * static_cast<std::size_t>(h) * 3);
  for (std::size_t i = 0; i < rgb.size(); ++i) rgb[i] = fill[i % 3];
}

}  // namespace eflow::io
