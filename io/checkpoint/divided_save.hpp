#pragma once
// DividedSave: a checkpoint that several processes write at the same time, each its parts of the
// arrays in a file of its own. One of them, the publisher, creates the folder to write to and, once
// all have reported, publishes the checkpoint by a single rename. How folder and reports pass
// between the processes is up to the caller.

#include <filesystem>
#include <memory>
#include <span>
#include <string>

#include "eflow/core/base/export.hpp"
#include "eflow/io/checkpoint/checkpoint.hpp"

EFLOW_EXPORT_BEGIN

namespace eflow::io {

/// Parts of an array begin with a multiple of so many elements.
inline constexpr std::uint64_t kSaveBlock = 16384;

/// A writer of a divided save.
struct SavePart {
  int index = 0, count = 1;
};

/// Writes the file of one writer into `folder`, reads it back and makes it durable. Returns a report
/// for the publisher: one line of text. The first writer lists every array of the checkpoint, in
/// order and possibly without bytes; the others list those of which they have elements. Throws
/// NoSpaceError, IoError, and InvalidArgument as CheckpointStore::save() does.
[[nodiscard]] std::string write_save_part(const std::filesystem::path& folder, std::int64_t step,
                                          const SavePart& part, std::span<const NamedBytes> arrays);

/// The publisher's side.
class DividedSave {
 public:
  /// Creates the folder, which is removed on destruction unless it was published. bytes: what all
  /// files take, at most. Throws NoSpaceError, IoError.
  DividedSave(const CheckpointStore& store, std::int64_t step, std::uint64_t bytes);
  ~DividedSave();
  DividedSave(const DividedSave&) = delete;
  DividedSave& operator=(const DividedSave&) = delete;

  [[nodiscard]] const std::filesystem::path& folder() const;
  /// Publishes the checkpoint: reports of all writers, in their order. Applies the store's retention
  /// rules and returns the folder of the checkpoint. Throws NoSpaceError, IoError, and
  /// InvalidArgument if the parts are not all elements of all arrays or the metadata is not JSON.
  std::filesystem::path publish(std::span<const std::string> reports,
                                const std::string& metadata_json);

 private:
  struct Rep;
  std::unique_ptr<Rep> rep_;
};

/// An upper bound on what the files of a checkpoint with whole arrays take, for one writer or many.
[[nodiscard]] std::uint64_t bound_of_save(std::span<const NamedBytes> arrays, int writers,
                                          const std::string& metadata_json);

}  // namespace eflow::io

EFLOW_EXPORT_END
