#pragma once
// Reads one shard with pread, through its own index. Internal to io; Dataset is the public
// interface.

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <vector>

#include "eflow/core/base/atomic_file.hpp"
#include "eflow/io/shard/shard_format.hpp"

namespace eflow::io {

/// A shard opened for reading. Const calls are thread-safe.
class Shard {
 public:
  /// Reads and checks the index and the labels. `first` is the index in the data set of the shard's
  /// first clip, used in messages. Throws IoError, CorruptData.
  Shard(std::filesystem::path path, std::int64_t first);

  [[nodiscard]] const std::filesystem::path& path() const { return path_; }
  [[nodiscard]] const ShardIndex& index() const { return index_; }
  [[nodiscard]] std::span<const std::int32_t> labels() const { return labels_; }
  /// Closes the descriptor; each later read reopens the file. For data sets with many shards.
  void release_descriptor() { file_ = {}; }

  /// Reads, verifies and decodes clip i of this shard. Throws CorruptData.
  void read(std::int64_t i, std::span<std::byte> clip) const;
  /// Checks the HDF5 structure, that is, all bytes that belong to no clip. Throws CorruptData.
  void verify_structure() const;

 private:
  std::filesystem::path path_;
  std::int64_t first_;
  FileDescriptor file_;
  ShardIndex index_;
  std::vector<std::int32_t> labels_;
};

}  // namespace eflow::io
