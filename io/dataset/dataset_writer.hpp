#pragma once
// Writes a data set: seals shards one by one (temporary file, fsync, rename) and writes the
// manifest last. A writer killed at any time leaves either a complete data set or one without a
// manifest, which readers reject; the next writer continues after the sealed shards.

#include <cstddef>
#include <filesystem>
#include <memory>
#include <span>

#include "eflow/core/base/export.hpp"
#include "eflow/io/shard/manifest.hpp"

EFLOW_EXPORT_BEGIN

namespace eflow::io {

/// The largest shard to write, whichever limit is reached first. A shard holds at least one clip.
/// The writer keeps one compressed shard in memory.
struct ShardLimits {
  std::uint64_t raw_bytes = 128ull << 20;  ///< uncompressed bytes, at least 1
  std::int64_t clips = 2048;               ///< 1 to 4096
};

/// Writes one data set. Not thread-safe. The bytes on disk depend only on the spec, the limits and
/// the clips added.
class DatasetWriter {
 public:
  /// Creates the directory if needed and locks it. Keeps the sealed shards of an interrupted writer
  /// that had the same spec (including content_key) and limits; see clips_done(). Throws
  /// InvalidArgument if the spec is invalid or the directory holds a different data set; IoError.
  DatasetWriter(const std::filesystem::path& directory, DatasetSpec spec, ShardLimits limits = {});
  /// Without finish(), discards the unsealed shard; sealed shards remain for the next writer.
  ~DatasetWriter();
  DatasetWriter(DatasetWriter&&) noexcept;

  /// Clips added so far, including those in shards kept from an earlier writer. add() continues
  /// after them, so the caller must skip that many.
  [[nodiscard]] std::int64_t clips_done() const;
  /// Whether the directory already holds this data set in full; add() then throws.
  [[nodiscard]] bool complete() const;

  /// Adds one clip of C*T*H*W little-endian elements of the stored dtype; seals the shard when it
  /// is full. Throws InvalidArgument for a wrong size or a label outside [0, class_count) (the
  /// label must be 0 if class_count is 0); IoError and NoSpaceError from sealing.
  void add(std::span<const std::byte> clip, std::int32_t label);
  /// Seals the last shard and writes the manifest. Throws InvalidArgument if no clip was added;
  /// IoError, NoSpaceError.
  Manifest finish();

 private:
  struct Rep;
  std::unique_ptr<Rep> rep_;
};

}  // namespace eflow::io

EFLOW_EXPORT_END
