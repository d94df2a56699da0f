#include "eflow/io/media/png.hpp"

#include <png.h>

#include "eflow/core/base/atomic_file.hpp"
#include "eflow/core/base/error.hpp"

namespace eflow::io {

void write_png(const std::filesystem::path& path, const Image& image) {
  const auto pixels =
      static_cast<std::size_t>(image.width) * static_cast<std::size_t>(image.height);
  if (image.width < 1 || image.height < 1 || image.rgb.size() != pixels * 3) {
    throw InvalidArgument(str("[png] ", path.string(), ": ", image.width, " x ", image.height,
                              " pixels and ", image.rgb.size(), " bytes are not an RGB image"));
  }
  png_image header{};
  header.version = PNG_IMAGE_VERSION;
  header.width = static_cast<png_uint_32>(image.width);
  header.height = static_cast<png_uint_32>(image.height);
  header.format = PNG_FORMAT_RGB;
  png_alloc_size_t size = PNG_IMAGE_PNG_SIZE_MAX(header);
  std::vector<std::byte> file(size);
  if (!png_image_write_to_memory(&header, file.data(), &size, 0, image.rgb.data(), 0, nullptr)) {
    throw Error(str("[png] ", path.string(), ": ", header.message));
  }
  file.resize(size);
  write_file_atomically(path, file);
}

}  // namespace eflow::io
