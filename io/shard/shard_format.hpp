#pragma once
// The user block of a shard: a checksummed index of an HDF5 file that spares readers libhdf5. Also
// the hash of the bytes between the indexed ranges, which checkpoints use too. docs/formats.md
// specifies the bytes. Internal to io.

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <span>
#include <vector>

#include "eflow/core/base/dtype.hpp"
#include "eflow/core/base/hash.hpp"
#include "eflow/core/base/shape.hpp"
#include "eflow/io/shard/shard_records.hpp"

namespace eflow::io {

inline constexpr std::int64_t kMaxShardClips = 4096;
inline constexpr std::uint64_t kMaxClipBytes = 1ull << 30;
/// The largest user block: header and table of a shard with kMaxShardClips clips, rounded up to a
/// power of two. Bounds the allocation for an untrusted file.
inline constexpr std::uint64_t kMaxUserBlock = 1ull << 17;

/// Where one clip is stored.
struct SampleEntry {
  std::uint64_t offset = 0;  ///< in the file
  std::uint32_t stored = 0;  ///< bytes in the file
  std::uint32_t raw = 0;     ///< bytes after decoding
  std::uint64_t hash = 0;    ///< XXH3-64 of the stored bytes
};

/// The decoded user block.
struct ShardIndex {
  std::uint64_t user_block = 0;  ///< bytes
  std::uint64_t file_bytes = 0;
  DType dtype = DType::kU8;
  Shape shape;       ///< [C, T, H, W]
  Hash128 spec_key;  ///< identifies the data set that the shard was written for
  std::uint64_t labels_offset = 0;
  std::uint64_t labels_hash = 0;
  std::uint64_t structure_hash = 0;  ///< hash_of_gaps() over all bytes outside user block, samples
                                     ///< and labels
  std::vector<SampleEntry> samples;
  std::optional<RecordsIndex> records;  ///< version 2: captions and sources
  Hash128 checksum;  ///< of the rest of the user block; covers the whole file through the hashes

  [[nodiscard]] std::uint64_t labels_bytes() const { return samples.size() * 4; }
};

/// The size of a user block for `clips` clips, with or without records: a power of two, at least
/// 512.
[[nodiscard]] std::uint64_t user_block_for(std::size_t clips, bool records);

/// Encodes the user block and sets index.checksum.
[[nodiscard]] std::vector<std::byte> encode_index(ShardIndex& index);

/// Decodes and checks a user block, without the entries of its records. No number in it is trusted:
/// every size is bounded before use.
/// Throws CorruptData naming `path`, the field and its offset.
[[nodiscard]] ShardIndex decode_index(std::span<const std::byte> user_block,
                                      std::uint64_t actual_file_bytes,
                                      const std::filesystem::path& path);

/// The part of the header that all versions have.
inline constexpr std::size_t kHeaderBytes = 128;
/// Returns the size of the user block, given the first kHeaderBytes of a file. Throws CorruptData
/// if the file is not a shard.
[[nodiscard]] std::uint64_t user_block_of(std::span<const std::byte> header,
                                          const std::filesystem::path& path);

/// Returns the key of the data set that a shard was packed for, given its first bytes, or nullopt if
/// there are fewer than kHeaderBytes or they do not begin with the magic. Nothing else is checked.
[[nodiscard]] std::optional<Hash128> key_in_header(std::span<const std::byte> start);
/// Whether these bytes, as far as they go, are the start of a shard with this key.
[[nodiscard]] bool is_start_of_header(std::span<const std::byte> start, Hash128 key);

/// A range of bytes in a file.
struct ByteRange {
  std::uint64_t offset = 0, bytes = 0;
};
/// Returns the parts of [begin, end) not covered by `taken`, in ascending order. Throws CorruptData
/// if two ranges overlap or one extends outside [begin, end).
[[nodiscard]] std::vector<ByteRange> gaps_between(std::vector<ByteRange> taken, std::uint64_t begin,
                                                  std::uint64_t end,
                                                  const std::filesystem::path& path);
/// Decodes the table of captions and checks every entry. Throws CorruptData.
[[nodiscard]] std::vector<CaptionEntry> decode_captions(std::span<const std::byte> table,
                                                        const ShardIndex& index,
                                                        const std::filesystem::path& path);
/// The ranges of the samples, the labels and, with records, of the embeddings and tables. The
/// entries of the records must have been read.
[[nodiscard]] std::vector<ByteRange> taken_ranges(const ShardIndex& index);
/// The XXH3-64 of the XXH3-64 hashes of the gaps, in file order; read(range) returns a gap's bytes.
[[nodiscard]] std::uint64_t hash_of_gaps(
    std::span<const ByteRange> gaps,
    const std::function<std::vector<std::byte>(const ByteRange&)>& read);

}  // namespace eflow::io
