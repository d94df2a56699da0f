#pragma once
// manifest.json of a data set: the format of its clips and the list of its shards. It is written
// last, so a directory that has one is complete. docs/formats.md specifies the format.

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "eflow/core/base/dtype.hpp"
#include "eflow/core/base/export.hpp"
#include "eflow/core/base/hash.hpp"
#include "eflow/core/base/shape.hpp"

EFLOW_EXPORT_BEGIN

namespace eflow::io {

/// The linear map from stored elements to floats: value = stored * scale + offset.
struct ValueMapping {
  double scale = 1.0;
  double offset = 0.0;
  friend bool operator==(const ValueMapping&, const ValueMapping&) = default;
};
/// Maps u8 pixels to [-1, 1].
inline constexpr ValueMapping kPixelMapping{2.0 / 255.0, -1.0};

/// How the captions of a data set are stored, and which encoder made their embeddings.
struct TextSpec {
  DType dtype = DType::kBF16;   ///< stored element type of the embeddings: bf16 or f32
  std::int64_t width = 0;       ///< E, values per token
  std::int64_t max_length = 0;  ///< tokens; readers add zero rows up to it by default
  std::string encoder{};        ///< name of the text encoder
  std::string encoder_hash{};   ///< of its weights; empty if unknown
  /// Of prompts.safetensors, the embeddings of the empty caption and of negative prompts; absent if
  /// there are none.
  std::optional<Hash128> prompts_hash{};
};

/// The space of latents, and the statistics with which a model sees them: (value - mean) / std for
/// each channel.
struct LatentSpace {
  std::string name{};          ///< "wan2.1", or any other; empty: pixels, or unknown
  std::vector<double> mean{};  ///< one per channel, or empty: 0
  std::vector<double> std{};   ///< one per channel, or empty: 1
  friend bool operator==(const LatentSpace&, const LatentSpace&) = default;
};

/// The properties shared by all clips of a data set.
struct DatasetSpec {
  DType dtype = DType::kU8;                ///< stored element type: u8, bf16 or f32
  Shape shape{};                           ///< [C, T, H, W]
  std::int64_t class_count = 0;            ///< 0: no labels
  std::vector<std::string> class_names{};  ///< empty, or class_count names
  ValueMapping mapping{};
  double fps = 8.0;                ///< frames per second, for previews
  std::optional<TextSpec> text{};  ///< absent: clips have no captions
  LatentSpace latent{};
  bool sources = false;  ///< whether each clip's source is recorded
  std::string creator = "eflow";
  /// Identifies everything that determines the bytes (source content, options). A later pack with
  /// the same key continues an interrupted one or finds it complete. Empty: never continue.
  std::string content_key{};

  /// Whether shards have records (docs/formats.md): version 2.
  [[nodiscard]] bool has_records() const { return text.has_value() || sources; }
  /// Throws InvalidArgument naming the first invalid field and the reason.
  void check() const;
};

/// One shard of a data set.
struct ShardEntry {
  std::string file{};       ///< file name within the directory
  std::int64_t count = 0;   ///< clips
  std::uint64_t bytes = 0;  ///< file size
  Hash128 index_hash{};  ///< the checksum at the end of the shard's user block, which covers every
                         ///< byte of the shard
};

struct Manifest {
  DatasetSpec spec{};
  std::int64_t count = 0;  ///< clips in all shards
  std::vector<ShardEntry> shards{};
};

inline constexpr const char* kManifestName = "manifest.json";
inline constexpr const char* kPromptsName = "prompts.safetensors";

/// Serialises the manifest with its checksum.
[[nodiscard]] std::string to_json(const Manifest& manifest);
/// Reads and validates directory/manifest.json. Throws IoError if `directory` is not a data set,
/// CorruptData naming the file and the field if its manifest is damaged.
[[nodiscard]] Manifest read_manifest(const std::filesystem::path& directory);

}  // namespace eflow::io

EFLOW_EXPORT_END
