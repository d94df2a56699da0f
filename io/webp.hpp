#pragma once
// Animated WebP: what browsers, chat programs and GitHub play without a codec.

#include <filesystem>
#include <span>

#include "eflow/io/image.hpp"

namespace eflow::io {

struct WebpOptions {
  double ms_per_frame = 125.0;
  int loops = 0;  ///< times to play; 0 = for ever
  bool lossless = true;
  float quality = 90.0f;  ///< 0..100; with lossless it trades time for size
};

/// Writes an animation, atomically. All frames must have one size, at most 16383 a side.
/// Throws InvalidArgument, IoError.
void write_webp(const std::filesystem::path& path, std::span<const Image> frames,
                const WebpOptions& options = {});

}  // namespace eflow::io
