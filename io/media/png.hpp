#pragma once
// Writes RGB images as PNG files.

#include <filesystem>

#include "eflow/core/base/export.hpp"
#include "eflow/io/media/image.hpp"

EFLOW_EXPORT_BEGIN

namespace eflow::io {

/// Writes an 8-bit RGB PNG atomically; equal images give equal files. Throws InvalidArgument for an
/// empty image or a wrong number of pixels; IoError, NoSpaceError.
void write_png(const std::filesystem::path& path, const Image& image);

}  // namespace eflow::io

EFLOW_EXPORT_END
