#pragma once
// PNG files of RGB pictures.

#include <filesystem>

#include "eflow/io/image.hpp"

namespace eflow::io {

/// Writes an 8-bit RGB PNG, atomically; equal pictures give equal files. Throws InvalidArgument for
/// an empty picture or a wrong pixel count, IoError.
void write_png(const std::filesystem::path& path, const Image& image);

}  // namespace eflow::io
