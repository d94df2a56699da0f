#pragma once
// Checkpoints: one directory per saved step, holding named arrays in state.h5, or in one such file
// per process that took part (divided_save.hpp), and manifest.json (offsets and hashes). Any HDF5
// tool reads them. A save becomes visible by a single rename, after all files are written, synced
// and read back. Every visible checkpoint is therefore complete, and the remains of a killed save
// are never mistaken for one. File formats: docs/formats.md.

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "eflow/core/base/dtype.hpp"
#include "eflow/core/base/error.hpp"
#include "eflow/core/base/export.hpp"
#include "eflow/core/base/shape.hpp"

EFLOW_EXPORT_BEGIN

namespace eflow::io {

/// A named array to save. The bytes are borrowed: the caller keeps them alive during save(). A name
/// is an HDF5 path of printable ASCII components joined by '/', such as
/// "model/blocks.0.qkv.weight".
struct NamedBytes {
  std::string name{};
  DType dtype = DType::kF32;
  Shape shape{};
  std::span<const std::byte> bytes{};
  /// The bytes are those of the elements from this one on: 0 and all of them, except in a save that
  /// several processes divide.
  std::uint64_t first = 0;
};

/// A named array loaded from a checkpoint; owns its bytes.
struct LoadedArray {
  std::string name{};
  DType dtype = DType::kF32;
  Shape shape{};
  std::vector<std::byte> bytes{};
};

/// Describes one array of a checkpoint without its bytes.
struct ArrayInfo {
  std::string name{};
  DType dtype = DType::kF32;
  Shape shape{};
  std::uint64_t bytes = 0;
};

/// There is no checkpoint: the directory or one of its files does not exist. Any other failure to open or read them is a plain IoError and says nothing about the checkpoint.
struct MissingCheckpoint : IoError {
  using IoError::IoError;
};

/// A checkpoint directory opened for reading. It holds its files open and stays readable when
/// another process removes, moves or replaces the directory. Const calls are thread-safe.
class Checkpoint {
 public:
  /// Opens all files and checks manifest.json. Throws MissingCheckpoint if `directory` is not a
  /// checkpoint, CorruptData if its manifest is damaged, IoError with the errno if a system call
  /// fails, and DeviceError naming the file if memory runs out.
  explicit Checkpoint(const std::filesystem::path& directory);
  ~Checkpoint();
  Checkpoint(Checkpoint&&) noexcept;
  Checkpoint& operator=(Checkpoint&&) noexcept;

  [[nodiscard]] const std::filesystem::path& path() const;
  [[nodiscard]] std::int64_t step() const;
  /// The metadata passed to save(), as JSON text.
  [[nodiscard]] const std::string& metadata() const;
  /// The arrays in the order in which they were saved.
  [[nodiscard]] const std::vector<ArrayInfo>& arrays() const;
  [[nodiscard]] bool contains(std::string_view name) const;
  /// Identifies the content of the arrays whose names start with `prefix`: a hash of their names,
  /// types, shapes and content hashes, in hexadecimal. It does not depend on the number of files.
  /// Reads no file.
  [[nodiscard]] std::string digest(std::string_view prefix = "") const;

  /// Loads all arrays whose names start with `prefix`, in saved order. Checks every hash before it
  /// returns; throws CorruptData naming the file, the array, and the expected and found hashes.
  /// Throws IoError and DeviceError as the constructor does.
  [[nodiscard]] std::vector<LoadedArray> load(std::string_view prefix = "") const;
  /// Loads one array. Throws InvalidArgument, suggesting the closest name, if `name` does not
  /// exist.
  [[nodiscard]] LoadedArray load_one(std::string_view name) const;
  /// Checks every byte of all files. Throws CorruptData on the first mismatch.
  void verify() const;

 private:
  struct Rep;
  std::unique_ptr<Rep> rep_;
};

/// Which checkpoints to keep after a save: the newest `keep_last`, those whose step is a multiple of
/// `keep_every` (0 disables the second rule), and those of `keep`.
struct Retention {
  int keep_last = 3;
  std::int64_t keep_every = 0;
  std::vector<std::int64_t> keep{};  ///< steps
};

/// The checkpoints of one run. Not thread-safe; other processes may read during a save.
class CheckpointStore {
 public:
  /// Throws InvalidArgument unless keep_last >= 1 and keep_every >= 0. Touches no files.
  explicit CheckpointStore(std::filesystem::path directory, Retention retention = {});

  /// Writes step-N, atomically replacing an existing checkpoint of that step, then applies the
  /// retention rules. On any error, including a full disk, earlier checkpoints are unchanged.
  /// Returns the directory of the new checkpoint. Throws NoSpaceError, IoError, and InvalidArgument
  /// (duplicate names, sizes that do not match their shapes, metadata that is not JSON).
  std::filesystem::path save(std::int64_t step, std::span<const NamedBytes> arrays,
                             const std::string& metadata_json);

  /// Returns the steps of all committed checkpoints in ascending order, without verifying them;
  /// none if the directory does not exist. Throws IoError if it cannot be read.
  [[nodiscard]] std::vector<std::int64_t> list() const;
  /// The directory of the checkpoint of `step`, whether or not it exists.
  [[nodiscard]] std::filesystem::path path_of(std::int64_t step) const;
  /// Returns the newest checkpoint that passes verify(), or nullopt. Skips a damaged checkpoint
  /// with a warning that gives the reason. If another process prunes a checkpoint meanwhile, lists
  /// again. A failure to read is not damage: throws IoError, or DeviceError if memory runs out.
  [[nodiscard]] std::optional<Checkpoint> latest_good() const;
  /// Moves the checkpoints of steps after `step`, left by an earlier attempt, into a new folder
  /// `set-aside-N` and returns that folder, or nullopt if there are none. Throws IoError.
  [[nodiscard]] std::optional<std::filesystem::path> set_aside_after(std::int64_t step);
  /// The number of checkpoints that the retention rules will remove as newer ones are saved.
  [[nodiscard]] std::size_t replaceable() const;
  /// Removes the checkpoint of a step. A reader that has opened it can go on; a kill in between
  /// leaves a temporary directory. Throws IoError if it cannot be removed.
  void remove(std::int64_t step);
  /// Removes the temporary directories of killed saves. save() also does this.
  void remove_leftovers() const;

 private:
  friend class DividedSave;
  void apply_retention(std::int64_t newest) const;
  [[nodiscard]] bool is_milestone(std::int64_t step) const;
  std::filesystem::path directory_;
  Retention retention_;
};

}  // namespace eflow::io

EFLOW_EXPORT_END
