#pragma once
// Reads a data set: manifest.json and its shards. Clips are read with pread through the checksummed
// index, then decompressed and unshuffled here. libhdf5 is not involved, so reads scale with
// threads and damaged files are rejected rather than parsed.

#include <cstddef>
#include <filesystem>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "eflow/core/base/export.hpp"
#include "eflow/io/dataset/clip_source.hpp"
#include "eflow/io/shard/manifest.hpp"

EFLOW_EXPORT_BEGIN

namespace eflow::io {

/// One defect of a data set, found by verify_dataset().
struct Fault {
  std::filesystem::path file{};
  std::int64_t sample = -1;       ///< index in the data set; -1 if not specific to one sample
  std::uint64_t byte_offset = 0;  ///< in the file
  std::string text{};             ///< the complete error message
};

/// A data set opened for reading. Const calls are thread-safe.
class Dataset final : public ClipSource {
 public:
  /// Opens the data set and checks its manifest, shard indices and labels, but not the clips (see
  /// verify_dataset). Throws IoError, CorruptData.
  explicit Dataset(const std::filesystem::path& directory);
  ~Dataset() override;
  Dataset(Dataset&&) noexcept;

  [[nodiscard]] const Manifest& manifest() const;
  [[nodiscard]] const std::filesystem::path& directory() const;
  /// Total size of all shards in bytes.
  [[nodiscard]] std::uint64_t stored_bytes() const;

  [[nodiscard]] std::int64_t size() const override;
  [[nodiscard]] Shape clip_shape() const override;
  [[nodiscard]] std::int64_t class_count() const override;
  [[nodiscard]] std::vector<std::string> class_names() const override;
  [[nodiscard]] double fps() const override;
  /// All labels; size() elements.
  [[nodiscard]] std::span<const std::int32_t> labels() const;

  /// Reads a clip, verifies it (XXH3 of the stored bytes, checksum of the zstd frame) and maps it
  /// to float. Throws CorruptData naming file, sample and byte offset; InvalidArgument for an index
  /// out of range or a wrong span size.
  std::int32_t read(std::int64_t index, std::span<float> clip) const override;
  /// Reads the same clip in the stored dtype; `clip` must have bytes_per_clip() bytes.
  std::int32_t read_stored(std::int64_t index, std::span<std::byte> clip) const;
  [[nodiscard]] std::size_t bytes_per_clip() const;

 private:
  struct Rep;
  std::unique_ptr<Rep> rep_;
};

/// Reads every byte of a data set and returns all faults in file order. An empty result means that
/// every clip decodes and every other byte is as written. Damage is reported, never thrown.
/// `progress`, which may be empty, receives the number of clips checked and the total.
[[nodiscard]] std::vector<Fault> verify_dataset(
    const std::filesystem::path& directory,
    const std::function<void(std::int64_t done, std::int64_t total)>& progress = {});

}  // namespace eflow::io

EFLOW_EXPORT_END
