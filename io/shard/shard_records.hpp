#pragma once
// Records of version 2 of a shard: its captions, and where each clip came from. They are rows of
// 64-bit integers in the file, so that HDF5 tools show them as arrays. Internal to io.

#include <cstdint>
#include <span>
#include <vector>

#include "eflow/core/base/dtype.hpp"

namespace eflow::io {

inline constexpr std::int64_t kMaxCaptionsPerClip = 64;
inline constexpr std::int64_t kMaxCaptionRows = 1 << 16;
inline constexpr std::int64_t kMaxTextWidth = 1 << 20;

/// One caption of one clip. Captions are in the order of their clips. Several may share a frame.
struct CaptionEntry {
  std::int64_t clip = 0;          ///< in the shard
  std::int64_t rows = 0;          ///< token embeddings; the frame holds zero rows after them
  std::int64_t text_offset = 0;   ///< of the caption, in the strings
  std::int64_t text_bytes = 0;    ///< UTF-8
  std::int64_t embedding = 0;     ///< row of /text/embeddings
  std::int64_t frame_offset = 0;  ///< of the embedding's frame, in the file
  std::int64_t frame_bytes = 0;
  std::int64_t frame_hash = 0;  ///< the bits of the XXH3-64 of the stored bytes
};

/// Where a clip came from. 0: unknown.
struct SourceEntry {
  std::int64_t name_offset = 0;  ///< of the source's name, in the strings
  std::int64_t name_bytes = 0;
  std::int64_t width = 0, height = 0, frames = 0;  ///< of the original
  std::int64_t fps_millionths = 0;                 ///< frames per 1,000,000 seconds
};

static_assert(sizeof(CaptionEntry) == 64 && sizeof(SourceEntry) == 48);

/// A checksummed range of a file.
struct TableRange {
  std::uint64_t offset = 0, bytes = 0, hash = 0;  ///< hash: XXH3-64
};

/// What version 2 adds to the index of a shard.
struct RecordsIndex {
  DType dtype = DType::kBF16;         ///< of the embeddings
  std::int64_t width = 0;             ///< E; 0: the shard has no captions
  std::int64_t rows = 0;              ///< L of every frame [L, E]: the longest caption's
  TableRange captions{};              ///< CaptionEntry rows
  TableRange sources{};               ///< SourceEntry rows, one per clip
  TableRange strings{};               ///< UTF-8 of captions and names
  std::vector<CaptionEntry> entries;  ///< the content of `captions`; empty until it is read

  [[nodiscard]] std::uint64_t frame_elements() const {
    return static_cast<std::uint64_t>(width * rows);
  }
};

}  // namespace eflow::io
