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
#include "eflow/io/dataset/prompts.hpp"
#include "eflow/io/shard/clip_record.hpp"
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

  /// Reads a clip, verifies it (XXH3 of the stored bytes, checksum of the zstd frame), maps it to
  /// float and, for latents with statistics, normalises each channel. Throws CorruptData naming
  /// file, sample and byte offset; InvalidArgument for an index out of range or a wrong span size.
  std::int32_t read(std::int64_t index, std::span<float> clip) const override;
  /// Shape [L, E] of the captions' embeddings; rank 0 without text. L is spec.text.max_length, or
  /// what set_context_length() set.
  [[nodiscard]] Shape context_shape() const override;
  /// Sets L. Throws InvalidArgument naming the longest caption if it has more tokens, or if the
  /// data set has no text.
  void set_context_length(std::int64_t length);
  /// Reads the embedding of caption `draw` modulo captions(index) of a clip, followed by zero rows.
  /// Throws as read() does.
  void read_context(std::int64_t index, std::uint64_t draw,
                    std::span<float> context) const override;
  /// The embedding of the empty caption followed by zero rows; zeros if the data set has none.
  void read_null_context(std::span<float> context) const override;
  /// Number of captions of a clip; 0 without text.
  [[nodiscard]] std::int64_t captions(std::int64_t index) const;
  /// Tokens of caption `k` of a clip.
  [[nodiscard]] std::int64_t caption_rows(std::int64_t index, std::int64_t k) const;
  /// All captions of all clips, in order. Throws CorruptData.
  [[nodiscard]] std::vector<std::vector<std::string>> read_captions() const;
  /// Where each clip came from: ClipRecord's fields without clip, label and captions. Empty if the
  /// data set does not record it. Throws CorruptData.
  [[nodiscard]] std::vector<ClipRecord> read_sources() const;
  /// Embeddings of the empty caption and of negative prompts.
  [[nodiscard]] const Prompts& prompts() const;

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
