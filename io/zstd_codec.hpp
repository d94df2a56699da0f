#pragma once
// The only place that calls zstd: whole frames, with the frame checksum on. Internal to io.

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace eflow::io {

/// Level 1 is best for shuffled samples, in ratio and in speed (docs/formats.md).
inline constexpr int kZstdLevel = 1;

/// One frame with content size and checksum.
[[nodiscard]] std::vector<std::byte> zstd_compress(std::span<const std::byte> raw,
                                                   int level = kZstdLevel);

/// Decodes `frame`, which must be exactly one frame of exactly raw.size() bytes, into `raw`. The
/// size is compared before anything is decoded, so that no input can make it allocate. Returns what
/// is wrong, or nothing if all is well.
[[nodiscard]] std::optional<std::string> zstd_decompress(std::span<const std::byte> frame,
                                                         std::span<std::byte> raw);

/// The most bytes that a frame of `raw` bytes can take.
[[nodiscard]] std::size_t zstd_bound(std::size_t raw);

}  // namespace eflow::io
