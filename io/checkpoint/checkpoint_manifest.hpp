#pragma once
// manifest.json of a checkpoint: step, metadata, and where the bytes of each array are. One writer
// leaves all arrays in one file; of several, each leaves its parts of them in a file of its own.
// Internal to io.

#include <optional>

#include "eflow/core/base/atomic_file.hpp"
#include "eflow/core/base/hash.hpp"
#include "eflow/io/checkpoint/divided_save.hpp"

namespace eflow::io {

inline constexpr const char* kStateName = "state.h5";
inline constexpr const char* kManifestName = "manifest.json";

/// Consecutive elements of an array.
struct ArrayPart {
  std::size_t file = 0;  ///< number in CheckpointManifest::files
  std::uint64_t first = 0;
  std::uint64_t offset = 0, bytes = 0;  ///< in that file
  Hash128 hash = {};
};

struct ArrayEntry {
  ArrayInfo info = {};
  /// content_hash() of all elements; files of earlier versions lack it.
  std::optional<Hash128> content = {};
  std::vector<ArrayPart> parts = {};  ///< in the order of their elements
};

struct StateFile {
  std::string name = {};
  std::uint64_t bytes = 0;
  std::uint64_t structure_hash = 0;  ///< of the bytes that belong to no array
};

struct CheckpointManifest {
  std::int64_t step = 0;
  std::string metadata = "null";  ///< JSON text
  std::vector<StateFile> files = {};
  std::vector<ArrayEntry> arrays = {};
};

/// The file of a writer: "state.h5" of one, "state-00002-of-00004.h5" of several.
[[nodiscard]] std::string name_of_state(const SavePart& part);

/// A hash of elements that does not depend on how they are divided: the sum of the hashes of blocks
/// of kSaveBlock elements. The sums of parts are added by add(). first: a multiple of kSaveBlock.
[[nodiscard]] Hash128 content_hash(std::span<const std::byte> bytes, DType dtype,
                                   std::uint64_t first);
[[nodiscard]] Hash128 add(const Hash128& a, const Hash128& b);

/// Serialises the manifest with its checksum. Throws InvalidArgument if the metadata is not JSON.
[[nodiscard]] std::string to_json(const CheckpointManifest& manifest);
/// Reads and validates manifest.json from its open file; `path` is for messages. Throws CorruptData
/// if it is damaged, IoError if it cannot be read.
[[nodiscard]] CheckpointManifest read_checkpoint_manifest(const FileDescriptor& file,
                                                          const std::filesystem::path& path);
/// The same from a text. A manifest of a single writer among several has parts of arrays only.
[[nodiscard]] CheckpointManifest parse_checkpoint_manifest(const std::string& text,
                                                           const std::filesystem::path& path,
                                                           bool of_one_writer = false);
/// One manifest of all writers, in their order, with the arrays and the step of the first. Throws
/// InvalidArgument unless their parts are all elements of each array, once.
[[nodiscard]] CheckpointManifest joined(std::vector<CheckpointManifest> writers);

/// The size of an open regular file. Throws IoError.
[[nodiscard]] std::uint64_t size_of_file(const FileDescriptor& file,
                                         const std::filesystem::path& path);

/// Throws InvalidArgument unless `name` is a valid array name (see NamedBytes).
void check_array_name(const std::string& name);

}  // namespace eflow::io
