#pragma once
// manifest.json of a data set: what the clips are and which shards hold them. Written last, so a
// directory with one is complete. Its bytes are specified in docs/formats.md.

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "eflow/base/dtype.hpp"
#include "eflow/base/hash.hpp"
#include "eflow/base/shape.hpp"

namespace eflow::io {

/// float value = stored * scale + offset. {2/255, -1} takes u8 pixels to [-1, 1].
struct ValueMapping {
  double scale = 1.0;
  double offset = 0.0;
  friend bool operator==(const ValueMapping&, const ValueMapping&) = default;
};
inline constexpr ValueMapping kPixelMapping{2.0 / 255.0, -1.0};

/// What is common to all clips of a data set.
struct DatasetSpec {
  DType dtype = DType::kU8;  ///< stored: u8, bf16 or f32
  Shape shape;               ///< [C, T, H, W]
  std::int64_t class_count = 0;
  std::vector<std::string> class_names;  ///< none, or class_count of them
  ValueMapping mapping;
  double fps = 8.0;
  std::string creator = "eflow";
  /// Stands for everything that decides the bytes (source content, options), so that packing again
  /// can continue or notice that there is nothing to do.
  std::string content_key;

  /// Throws InvalidArgument, saying which field and why.
  void check() const;
};

struct ShardEntry {
  std::string file;  ///< name inside the directory
  std::int64_t count = 0;
  std::uint64_t bytes = 0;
  Hash128 index_hash;  ///< the checksum that ends the shard's user block; covers every byte of the
                       ///< shard
};

struct Manifest {
  DatasetSpec spec;
  std::int64_t count = 0;
  std::vector<ShardEntry> shards;
};

inline constexpr const char* kManifestName = "manifest.json";

[[nodiscard]] std::string manifest_text(const Manifest& manifest);
/// Parses and checks. Throws CorruptData naming `path` and the field.
[[nodiscard]] Manifest parse_manifest(const std::string& text, const std::filesystem::path& path);
/// Throws IoError where `directory` is no data set, CorruptData where its manifest is damaged.
[[nodiscard]] Manifest read_manifest(const std::filesystem::path& directory);

}  // namespace eflow::io
