#pragma once
// The HDF5 part of a shard (everything but the user block), built in memory. HDF5 therefore never
// sees a disk error, and write_file_atomically() writes the finished file. Internal to io.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "eflow/io/shard/manifest.hpp"
#include "eflow/io/shard/shard_records.hpp"

namespace eflow::io {

/// One shuffled and compressed clip: a zstd frame.
using Frame = std::vector<std::byte>;

/// What version 2 adds to a shard.
struct ShardRecords {
  std::int64_t rows = 0;                 ///< L of every embedding's frame [L, E]
  std::vector<Frame> frames{};           ///< the embeddings
  std::vector<CaptionEntry> captions{};  ///< without the places of the frames, which are set here
  std::vector<SourceEntry> sources{};    ///< one per clip, or none
  std::string strings{};
};

struct ShardContent {
  std::span<const Frame> frames{};         ///< one per clip
  std::span<const std::int32_t> labels{};  ///< one per clip
  ShardRecords* records = nullptr;         ///< null: a shard of version 1
};

struct ShardImage {
  std::vector<std::byte> bytes;        ///< the file from the end of the user block
  std::vector<std::uint64_t> offsets;  ///< of each clip's frame, in the file
  std::uint64_t labels_offset = 0;     ///< of the labels, in the file
  std::optional<RecordsIndex> records;
};

/// Builds the image with /latents [n, C, T, H, W] and /labels [n]; with records, also
/// /text/embeddings [f, L, E], /text/captions [m, 8], /sources [n, 6] and /strings. `user_block` is
/// a power of two of at least 512. Equal arguments give equal bytes. `name` is used in messages.
/// Throws IoError.
[[nodiscard]] ShardImage build_shard_image(const DatasetSpec& spec, std::uint64_t user_block,
                                           const ShardContent& content, const std::string& name);

}  // namespace eflow::io
