#pragma once
// manifest.json of a checkpoint: step, metadata, and the offset and hash of each array in state.h5.
// Internal to io.

#include "eflow/core/base/atomic_file.hpp"
#include "eflow/core/base/hash.hpp"
#include "eflow/io/checkpoint/checkpoint.hpp"

namespace eflow::io {

inline constexpr const char* kStateName = "state.h5";
inline constexpr const char* kManifestName = "manifest.json";

struct ArrayEntry {
  ArrayInfo info;
  Hash128 hash;
};

struct CheckpointManifest {
  std::int64_t step = 0;
  std::string metadata;  ///< JSON text
  std::uint64_t state_bytes = 0;
  std::uint64_t structure_hash = 0;
  std::vector<ArrayEntry> arrays;
};

/// Serialises the manifest with its checksum. Throws InvalidArgument if the metadata is not JSON.
[[nodiscard]] std::string to_json(const CheckpointManifest& manifest);
/// Reads and validates manifest.json from its open file; `path` is for messages. Throws CorruptData
/// if it is damaged, IoError if it cannot be read.
[[nodiscard]] CheckpointManifest read_checkpoint_manifest(const FileDescriptor& file,
                                                          const std::filesystem::path& path);

/// The size of an open regular file. Throws IoError.
[[nodiscard]] std::uint64_t size_of_file(const FileDescriptor& file,
                                         const std::filesystem::path& path);

/// Throws InvalidArgument unless `name` is a valid array name (see NamedBytes).
void check_array_name(const std::string& name);

/// Hashes all bytes of state.h5 that belong to no array, as hash_of_gaps() does.
[[nodiscard]] std::uint64_t hash_of_structure(std::span<const ArrayInfo> arrays,
                                              std::uint64_t state_bytes,
                                              const FileDescriptor& state,
                                              const std::filesystem::path& path);

}  // namespace eflow::io
