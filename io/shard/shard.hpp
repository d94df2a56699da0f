#pragma once
// Reads one shard with pread, through its own index. Internal to io; Dataset is the public
// interface.

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "eflow/core/base/atomic_file.hpp"
#include "eflow/io/shard/shard_format.hpp"

namespace eflow::io {

/// The right to keep one descriptor open between reads. All shards of the process share half of its
/// limit (ulimit -n); the rest is for everything else.
class DescriptorShare {
 public:
  DescriptorShare() = default;
  /// Takes one, if any is left.
  [[nodiscard]] static DescriptorShare take();
  DescriptorShare(DescriptorShare&& other) noexcept : held_(std::exchange(other.held_, false)) {}
  DescriptorShare& operator=(DescriptorShare&& other) noexcept {
    std::swap(held_, other.held_);
    return *this;
  }
  ~DescriptorShare();
  [[nodiscard]] bool held() const { return held_; }

 private:
  bool held_ = false;
};

/// A shard opened for reading. Keeps its file open if it gets a DescriptorShare; otherwise each read
/// opens it. Const calls are thread-safe.
class Shard {
 public:
  /// Reads and checks the index and the labels. `first` is the index in the data set of the shard's
  /// first clip, used in messages. Throws IoError, CorruptData.
  Shard(std::filesystem::path path, std::int64_t first);

  [[nodiscard]] const std::filesystem::path& path() const { return path_; }
  [[nodiscard]] const ShardIndex& index() const { return index_; }
  [[nodiscard]] std::span<const std::int32_t> labels() const { return labels_; }
  [[nodiscard]] bool keeps_descriptor() const { return file_.valid(); }

  /// Reads, verifies and decodes clip i of this shard. Throws CorruptData.
  void read(std::int64_t i, std::span<std::byte> clip) const;
  /// Number of captions of clip i; 0 if the shard has none.
  [[nodiscard]] std::int64_t captions(std::int64_t i) const;
  /// The entry of caption `k` of clip i.
  [[nodiscard]] const CaptionEntry& caption(std::int64_t i, std::int64_t k) const;
  /// Reads, verifies and decodes a caption's embeddings: rows * E elements, contiguous. Throws
  /// CorruptData.
  void read_embedding(const CaptionEntry& caption, std::span<std::byte> values) const;
  /// Reads and verifies the strings and the sources. Throws CorruptData.
  [[nodiscard]] std::string read_strings() const;
  [[nodiscard]] std::vector<SourceEntry> read_sources() const;
  /// Reads and checks all embeddings, the strings and the sources. Throws CorruptData.
  void verify_records() const;
  /// Checks the HDF5 structure, that is, all bytes that belong to no clip. Throws CorruptData.
  void verify_structure() const;

 private:
  void read_stored(std::uint64_t offset, std::span<std::byte> bytes) const;
  void decode(std::span<const std::byte> stored, DType dtype, std::size_t raw,
              std::span<std::byte> out, const std::string& where) const;
  [[nodiscard]] std::vector<std::byte> read_table(const TableRange& range, const char* what) const;
  void read_captions();

  std::filesystem::path path_;
  std::int64_t first_;
  DescriptorShare share_;
  FileDescriptor file_;
  ShardIndex index_;
  std::vector<std::int32_t> labels_;
  std::vector<std::size_t> first_caption_;  ///< of each clip, and the end; empty without captions
};

}  // namespace eflow::io
