#pragma once
// manifest.json of a checkpoint: step, metadata, and where in state.h5 each array lies with what
// hash. Internal to io.

#include "eflow/base/atomic_file.hpp"
#include "eflow/base/hash.hpp"
#include "eflow/io/checkpoint.hpp"

namespace eflow::io {

inline constexpr const char* kStateName = "state.h5";

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

/// Throws InvalidArgument if the metadata is not JSON.
[[nodiscard]] std::string checkpoint_manifest_text(const CheckpointManifest& manifest);
/// Throws IoError, CorruptData.
[[nodiscard]] CheckpointManifest read_checkpoint_manifest(const std::filesystem::path& directory);

/// Throws InvalidArgument where `name` cannot be an HDF5 path of ours.
void check_array_name(const std::string& name);

/// The hash of all bytes of state.h5 that no array owns.
[[nodiscard]] std::uint64_t hash_of_structure(std::span<const ArrayInfo> arrays,
                                              std::uint64_t state_bytes,
                                              const FileDescriptor& state,
                                              const std::filesystem::path& path);

}  // namespace eflow::io
