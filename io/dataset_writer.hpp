#pragma once
// Writes a data set: shards sealed one by one (temporary, fsync, rename), manifest last. Killed at
// any time it leaves either no manifest, so that nobody takes the rest for a data set, or a
// complete one; run again it continues.

#include <cstddef>
#include <filesystem>
#include <memory>
#include <span>

#include "eflow/io/manifest.hpp"

namespace eflow::io {

struct ShardLimits {
  std::uint64_t raw_bytes = 128ull << 20;  ///< a shard ends before it holds more than this (one
                                           ///< clip at least); the writer keeps one shard in memory
  std::int64_t clips = 2048;  ///< and before it holds more clips than this; at most 4096
};

/// One thread at a time. The bytes on disk are a function of the spec, the limits and the clips
/// added.
class DatasetWriter {
 public:
  /// Makes the directory where needed and takes a lock in it. Sealed shards that an earlier, killed
  /// writer with the same spec (content_key included) and limits left are kept: see clips_done().
  /// Throws InvalidArgument if the spec is wrong or the directory holds a different data set,
  /// IoError.
  DatasetWriter(const std::filesystem::path& directory, DatasetSpec spec, ShardLimits limits = {});
  ~DatasetWriter();  ///< without finish(): the unsealed shard is dropped, sealed ones stay for the
                     ///< next try
  DatasetWriter(DatasetWriter&&) noexcept;

  /// Clips that are already in sealed shards. add() goes on from there: the caller skips that many.
  [[nodiscard]] std::int64_t clips_done() const;
  /// True where the directory holds this very data set already; nothing is left to do and add() is
  /// refused.
  [[nodiscard]] bool complete() const;

  /// Adds one clip: C*T*H*W elements of the stored dtype, little-endian. Throws InvalidArgument for
  /// a wrong size or a label outside [0, class_count) (label must be 0 where class_count is 0);
  /// IoError, NoSpaceError while sealing.
  void add(std::span<const std::byte> clip, std::int32_t label);
  /// Seals the last shard and writes the manifest. Throws InvalidArgument for an empty data set.
  Manifest finish();

 private:
  struct Rep;
  std::unique_ptr<Rep> rep_;
};

}  // namespace eflow::io
