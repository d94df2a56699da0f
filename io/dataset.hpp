#pragma once
// A data set on disk, for reading: manifest.json and its shards. Reads go by pread, the checksummed
// index, zstd and unshuffle; HDF5 is not entered, so that threads scale and damaged files are
// refused instead of trusted.

#include <cstddef>
#include <filesystem>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "eflow/io/clip_source.hpp"
#include "eflow/io/manifest.hpp"

namespace eflow::io {

/// One thing wrong with a data set.
struct Fault {
  std::filesystem::path file;
  std::int64_t sample = -1;       ///< index in the data set, -1 where no single sample is concerned
  std::uint64_t byte_offset = 0;  ///< in the file
  std::string text;               ///< all of it in words
};

/// Const calls may run at once from any number of threads.
class Dataset final : public ClipSource {
 public:
  /// Opens and checks manifest and indices (not the clips; see verify). Throws IoError,
  /// CorruptData.
  explicit Dataset(const std::filesystem::path& directory);
  ~Dataset() override;
  Dataset(Dataset&&) noexcept;

  [[nodiscard]] const Manifest& manifest() const;
  [[nodiscard]] const std::filesystem::path& directory() const;
  /// Bytes of all shards on disk.
  [[nodiscard]] std::uint64_t stored_bytes() const;

  [[nodiscard]] std::int64_t size() const override;
  [[nodiscard]] Shape clip_shape() const override;
  [[nodiscard]] std::int64_t class_count() const override;
  [[nodiscard]] std::vector<std::string> class_names() const override;
  [[nodiscard]] double fps() const override;
  /// All labels, [size()].
  [[nodiscard]] std::span<const std::int32_t> labels() const;

  /// Verified (XXH3 of the stored bytes, zstd frame checksum), then mapped to float.
  /// Throws CorruptData with file, sample and byte offset; InvalidArgument for a wrong index or
  /// span size.
  std::int32_t read(std::int64_t index, std::span<float> clip) const override;
  /// The same clip in the stored dtype: bytes_per_clip() bytes.
  std::int32_t read_stored(std::int64_t index, std::span<std::byte> clip) const;
  [[nodiscard]] std::size_t bytes_per_clip() const;

 private:
  struct Rep;
  std::unique_ptr<Rep> rep_;
};

/// Reads every byte of a data set and reports all faults, in file order; none means every clip
/// decodes and every other byte is as it was written. Never throws for damage. `progress` (may be
/// empty) gets clips done and clips in all.
[[nodiscard]] std::vector<Fault> verify_dataset(
    const std::filesystem::path& directory,
    const std::function<void(std::int64_t done, std::int64_t total)>& progress = {});

}  // namespace eflow::io
