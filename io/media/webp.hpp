#pragma once
// Writes animated WebP files, which browsers and GitHub play without a plug-in.

#include <filesystem>
#include <span>

#include "eflow/core/base/export.hpp"
#include "eflow/io/media/image.hpp"

EFLOW_EXPORT_BEGIN

namespace eflow::io {

struct WebpOptions {
  double ms_per_frame = 125.0;
  int loops = 0;  ///< number of repetitions; 0 = endless
  bool lossless = true;
  float quality = 90.0f;  ///< 0 to 100; ignored if lossless
};

/// Writes an animation atomically. All frames must have the same size, at most 16383 pixels per
/// side. Throws InvalidArgument, IoError, NoSpaceError.
void write_webp(const std::filesystem::path& path, std::span<const Image> frames,
                const WebpOptions& options = {});

}  // namespace eflow::io

EFLOW_EXPORT_END
