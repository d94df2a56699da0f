#pragma once
// What earlier writers left in the folder of a data set, and what the next writer may do with it: it
// reuses intact shards, replaces or removes what carries our magic and the key of this very data
// set, and refuses to touch anything else. Internal to io.

#include <cstddef>
#include <filesystem>
#include <map>
#include <optional>
#include <string>

#include "eflow/io/dataset/dataset_writer.hpp"

namespace eflow::io {

/// "shard-00007.h5" for 7.
[[nodiscard]] std::string shard_name(std::size_t number);

/// The folder and the data set that is to be packed into it.
struct PackTarget {
  std::filesystem::path directory{};
  DatasetSpec spec{};
  std::int64_t per_shard = 0;  ///< clips
  ForeignFiles foreign = ForeignFiles::kRefuse;
};

/// Identifies spec and shard size. One writer may continue another's work only if their keys agree.
[[nodiscard]] Hash128 key_of(const PackTarget& target);

struct EarlierPack {
  Hash128 key{};  ///< of the shards to write
  /// The manifest, if the data set was complete. Its shards may be damaged.
  std::optional<Manifest> manifest{};
  /// Shards to keep, by number: every byte was read and matches its checksum.
  std::map<std::size_t, ShardEntry> intact{};
};

/// Inspects the folder, then removes the remains of interrupted writers of this data set. If the
/// data set was complete, a listed shard that is damaged beyond recognition is renamed rather than
/// removed. Throws InvalidArgument, naming the files, if the folder holds another data set or shard
/// files that do not carry this data set's key, unless target.foreign is kOverwrite, which removes
/// them; IoError if a file cannot be read. Nothing has been changed if it throws.
[[nodiscard]] EarlierPack claim_earlier_pack(const PackTarget& target);

}  // namespace eflow::io
