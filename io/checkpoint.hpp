#pragma once
// Checkpoints: one directory a step, holding state.h5 (named arrays; any HDF5 tool opens it) and
// manifest.json (hashes). A save becomes visible by one rename, after everything was written,
// synced and read back; so what is there is complete, and what a killed save leaves is never taken
// for a checkpoint. Bytes: docs/formats.md.

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "eflow/base/dtype.hpp"
#include "eflow/base/shape.hpp"

namespace eflow::io {

/// A named array to save; the bytes stay the caller's. Names are HDF5 paths: parts of
/// [A-Za-z0-9_.-] and other printable ASCII joined by '/', such as "model/blocks.0.qkv.weight".
struct NamedBytes {
  std::string name;
  DType dtype = DType::kF32;
  Shape shape;
  std::span<const std::byte> bytes;
};

/// The same array, loaded.
struct LoadedArray {
  std::string name;
  DType dtype = DType::kF32;
  Shape shape;
  std::vector<std::byte> bytes;
};

struct ArrayInfo {
  std::string name;
  DType dtype = DType::kF32;
  Shape shape;
  std::uint64_t offset = 0;  ///< in state.h5
  std::uint64_t bytes = 0;
};

/// An opened checkpoint directory. Const calls may run at once.
class Checkpoint {
 public:
  /// Reads and checks manifest.json. Throws IoError if `directory` is no checkpoint, CorruptData if
  /// it is damaged.
  explicit Checkpoint(const std::filesystem::path& directory);
  ~Checkpoint();
  Checkpoint(Checkpoint&&) noexcept;
  Checkpoint& operator=(Checkpoint&&) noexcept;

  [[nodiscard]] const std::filesystem::path& path() const;
  [[nodiscard]] std::int64_t step() const;
  /// The JSON text given to save.
  [[nodiscard]] const std::string& metadata() const;
  /// In the order they were saved.
  [[nodiscard]] const std::vector<ArrayInfo>& arrays() const;
  [[nodiscard]] bool contains(std::string_view name) const;

  /// All arrays whose name starts with `prefix`, in saved order; every hash is checked before
  /// anything is returned. Throws CorruptData naming path, array, expected and found.
  [[nodiscard]] std::vector<LoadedArray> load(std::string_view prefix = "") const;
  /// One array. Throws InvalidArgument, naming the nearest name, if there is none.
  [[nodiscard]] LoadedArray load_one(std::string_view name) const;
  /// Checks every byte of both files. Throws CorruptData.
  void verify() const;

 private:
  struct Rep;
  std::unique_ptr<Rep> rep_;
};

/// Which checkpoints survive a save: the newest `keep_last`, and those whose step is a multiple of
/// `keep_every` (0: none).
struct Retention {
  int keep_last = 3;
  std::int64_t keep_every = 0;
};

/// The checkpoints of one run. One thread at a time; other processes may read meanwhile.
class CheckpointStore {
 public:
  explicit CheckpointStore(std::filesystem::path directory, Retention retention = {});

  /// Writes step-N, replacing one of the same step atomically, then applies the retention.
  /// On any error, a full disk included, everything saved before is as it was. Throws NoSpaceError,
  /// IoError, InvalidArgument (names twice, sizes that do not match their shape, metadata that is
  /// not JSON). Returns the directory of the new checkpoint.
  std::filesystem::path save(std::int64_t step, std::span<const NamedBytes> arrays,
                             const std::string& metadata_json);

  /// Steps that have a committed checkpoint, ascending. Not verified.
  [[nodiscard]] std::vector<std::int64_t> list() const;
  [[nodiscard]] std::filesystem::path path_of(std::int64_t step) const;
  /// The newest checkpoint that verifies, or nothing. Each bad one passed over is logged as a
  /// warning with its reason.
  [[nodiscard]] std::optional<Checkpoint> latest_good() const;
  /// Moves the checkpoints of later steps than `step`, which another attempt made, into a new folder
  /// beside them, and returns that folder; nothing where there are none. Throws IoError.
  [[nodiscard]] std::optional<std::filesystem::path> set_aside_after(std::int64_t step);
  /// Removes what killed saves left. save() does it too.
  void remove_leftovers() const;

 private:
  void apply_retention(std::int64_t newest) const;
  std::filesystem::path directory_;
  Retention retention_;
};

}  // namespace eflow::io
