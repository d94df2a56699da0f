#pragma once
// Writes a data set: seals shards one by one (temporary file, fsync, rename) and writes the
// manifest last. A writer killed at any time leaves either a complete data set or one without a
// manifest, which readers reject; the next writer continues after the sealed shards.

#include <cstddef>
#include <filesystem>
#include <memory>
#include <span>

#include "eflow/core/base/export.hpp"
#include "eflow/io/dataset/prompts.hpp"
#include "eflow/io/shard/clip_record.hpp"
#include "eflow/io/shard/manifest.hpp"

EFLOW_EXPORT_BEGIN

namespace eflow::io {

/// The largest shard to write, whichever limit is reached first. A shard holds at least one clip.
/// The writer keeps one compressed shard in memory.
struct ShardLimits {
  std::uint64_t raw_bytes = 128ull << 20;  ///< uncompressed bytes, at least 1
  std::int64_t clips = 2048;               ///< 1 to 4096
};

/// What a writer does with another data set, or with files named as shards that do not carry its
/// own key, in its directory.
enum class ForeignFiles {
  kRefuse,     ///< throws and changes nothing
  kOverwrite,  ///< removes them
};

/// Writes one data set. Not thread-safe. The bytes on disk depend only on the spec, the limits and
/// the clips added.
class DatasetWriter {
 public:
  /// Creates the directory if needed and locks it. Keeps the intact shards of earlier writers that
  /// had the same spec (including content_key) and limits, whether they finished or not; reads all
  /// of each to find out. Throws InvalidArgument if the spec is invalid or, unless `foreign` is
  /// kOverwrite, if the directory holds another data set or shard files that do not carry this
  /// one's key; IoError.
  /// `prompts` belong to the data set as a whole; only a data set with text has any.
  DatasetWriter(const std::filesystem::path& directory, DatasetSpec spec, ShardLimits limits = {},
                ForeignFiles foreign = ForeignFiles::kRefuse, const Prompts& prompts = {});
  /// Without finish(), discards the unsealed shard; sealed shards remain for the next writer.
  ~DatasetWriter();
  DatasetWriter(DatasetWriter&&) noexcept;

  /// The number of the clip that add() expects next: all clips before it are in this data set. Ask
  /// before every add(), because sealing a shard skips the clips of kept shards that follow it.
  [[nodiscard]] std::int64_t clips_done() const;
  /// Whether the directory already holds this data set in full and intact; add() then throws.
  [[nodiscard]] bool complete() const;
  /// Whether the directory held this data set in full, but some of it was damaged or missing.
  [[nodiscard]] bool repairing() const;

  /// Adds one clip of C*T*H*W little-endian elements of the stored dtype; seals the shard when it
  /// is full. Throws InvalidArgument for a wrong size or a label outside [0, class_count) (the
  /// label must be 0 if class_count is 0); IoError and NoSpaceError from sealing.
  void add(std::span<const std::byte> clip, std::int32_t label);
  /// The same for a clip with captions or a source. Also throws InvalidArgument for captions that
  /// the spec's text does not allow.
  void add(const ClipRecord& record);
  /// Seals the last shard and writes the manifest. Throws InvalidArgument if no clip was added, or
  /// fewer than the data set that is being repaired had; IoError, NoSpaceError.
  Manifest finish();

 private:
  struct Rep;
  std::unique_ptr<Rep> rep_;
};

}  // namespace eflow::io

EFLOW_EXPORT_END
