#pragma once
// Names of checkpoint folders, and how a folder gets and loses its final name. Internal to io.

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "eflow/core/base/atomic_file.hpp"

namespace eflow::io {

/// "step-00000012"
[[nodiscard]] std::string name_of_step(std::int64_t step);
/// Parses a folder name; nullopt unless it is exactly what name_of_step() produces.
[[nodiscard]] std::optional<std::int64_t> step_of_name(const std::string& name);
/// Whether this is the name of a folder that a save, or a removal, had not finished with.
[[nodiscard]] bool is_temporary_name(const std::string& name);

/// The entries of a directory; none if it does not exist. Throws IoError: a directory that cannot be
/// read is not an empty one.
[[nodiscard]] std::vector<std::filesystem::directory_entry> entries_of(
    const std::filesystem::path& directory);

/// A directory to fill, removed on destruction unless it was renamed. It is locked while it is
/// being written. The kernel releases the lock when the process dies, so the next save can tell an
/// abandoned directory from one in use; see claim_abandoned() for file systems without locks.
class TemporaryDirectory {
 public:
  /// For a folder NAME in `parent`. Throws IoError.
  TemporaryDirectory(const std::filesystem::path& parent, const std::string& name);
  ~TemporaryDirectory();
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;
  [[nodiscard]] const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
  FileDescriptor lock_;
};

/// Renames `temporary` to `final`. If `final` exists, exchanges the two names in one system call:
/// there is no moment without a checkpoint, and the old one is removed with the temporary
/// directory. Throws IoError.
void commit_folder(const std::filesystem::path& temporary, const std::filesystem::path& final);

/// Removes a checkpoint. It is renamed first, so that a kill in between leaves a temporary
/// directory rather than an incomplete checkpoint. Warns if that fails.
void remove_folder(const std::filesystem::path& path);

}  // namespace eflow::io
