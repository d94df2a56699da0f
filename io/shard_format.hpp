#pragma once
// The user block of a shard: our own checksummed index of an HDF5 file, so that readers need no
// HDF5. Reader and writer share this file; docs/formats.md specifies the bytes. Internal to io.

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <vector>

#include "eflow/base/dtype.hpp"
#include "eflow/base/hash.hpp"
#include "eflow/base/shape.hpp"

namespace eflow::io {

inline constexpr std::int64_t kMaxShardClips = 4096;
inline constexpr std::uint64_t kMaxClipBytes = 1ull << 30;
/// What the first read of an unknown file may take: header and table of a full shard, as a power of
/// two.
inline constexpr std::uint64_t kMaxUserBlock = 1ull << 17;

struct SampleEntry {
  std::uint64_t offset = 0;  ///< in the file
  std::uint32_t stored = 0;  ///< bytes there
  std::uint32_t raw = 0;     ///< bytes when decoded
  std::uint64_t hash = 0;    ///< XXH3-64 of the stored bytes
};

struct ShardIndex {
  std::uint64_t user_block = 0;  ///< bytes
  std::uint64_t file_bytes = 0;
  DType dtype = DType::kU8;
  Shape shape;       ///< [C, T, H, W]
  Hash128 spec_key;  ///< of the data set that the shard was written for
  std::uint64_t labels_offset = 0;
  std::uint64_t labels_hash = 0;
  std::uint64_t structure_hash =
      0;  ///< of the bytes that are neither user block, nor sample, nor label
  std::vector<SampleEntry> samples;
  Hash128
      checksum;  ///< of the user block without itself; covers, through the hashes, the whole file

  [[nodiscard]] std::uint64_t labels_bytes() const { return samples.size() * 4; }
};

/// The smallest power of two that holds an index of `clips`.
[[nodiscard]] std::uint64_t user_block_for(std::size_t clips);

/// The user block; sets index.checksum.
[[nodiscard]] std::vector<std::byte> encode_index(ShardIndex& index);

/// Reads and checks the user block of `path` without trusting any number in it: sizes are bounded
/// before they are used. Throws CorruptData naming the field and its offset.
[[nodiscard]] ShardIndex decode_index(std::span<const std::byte> user_block,
                                      std::uint64_t actual_file_bytes,
                                      const std::filesystem::path& path);

/// Bytes of the user block, told by the first kHeaderBytes of a shard. Throws CorruptData where
/// this is no shard.
inline constexpr std::size_t kHeaderBytes = 128;
[[nodiscard]] std::uint64_t user_block_of(std::span<const std::byte> header,
                                          const std::filesystem::path& path);

/// A stretch of a file.
struct ByteRange {
  std::uint64_t offset = 0, bytes = 0;
};
/// What [begin, end) has outside `taken`, ascending. Throws CorruptData where two of them overlap
/// or one sticks out.
[[nodiscard]] std::vector<ByteRange> gaps_between(std::vector<ByteRange> taken, std::uint64_t begin,
                                                  std::uint64_t end,
                                                  const std::filesystem::path& path);
/// The ranges of samples and labels.
[[nodiscard]] std::vector<ByteRange> taken_ranges(const ShardIndex& index);

}  // namespace eflow::io
