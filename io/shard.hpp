#pragma once
// One shard opened for reading, by pread and its own index. Internal to io; Dataset is the public
// face.

#include <functional>

#include "eflow/base/atomic_file.hpp"
#include "eflow/io/dataset.hpp"
#include "eflow/io/shard_format.hpp"

namespace eflow::io {

/// Const calls may run at once.
class Shard {
 public:
  /// Reads the index and the labels and checks both. `first` is the data set's index of its first
  /// clip, for messages.
  Shard(std::filesystem::path path, std::int64_t first);

  [[nodiscard]] const std::filesystem::path& path() const { return path_; }
  [[nodiscard]] const ShardIndex& index() const { return index_; }
  [[nodiscard]] std::span<const std::int32_t> labels() const { return labels_; }
  /// Gives the descriptor back; reads open the file anew. For data sets with very many shards.
  void release_descriptor() { file_ = {}; }

  /// Verified and decoded bytes of clip i of this shard. Throws CorruptData.
  void read(std::int64_t i, std::span<std::byte> clip) const;
  /// Throws CorruptData if a byte that no clip owns differs from what was written.
  void verify_structure() const;

 private:
  std::filesystem::path path_;
  std::int64_t first_;
  FileDescriptor file_;
  ShardIndex index_;
  std::vector<std::int32_t> labels_;
};

/// XXH3-64 of the XXH3-64s of the gaps, in file order; read(range) gives the bytes of one.
[[nodiscard]] std::uint64_t hash_of_gaps(
    std::span<const ByteRange> gaps,
    const std::function<std::vector<std::byte>(const ByteRange&)>& read);

}  // namespace eflow::io
