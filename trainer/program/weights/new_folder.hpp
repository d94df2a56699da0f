#pragma once
// NewFolder: a folder that appears under its name only when it is complete, so that a command that
// was interrupted can simply be repeated.

#include <filesystem>

#include "eflow/core/base/atomic_file.hpp"

namespace eflow::program {

class NewFolder {
 public:
  /// Makes a temporary folder next to `out`, which must be new or empty, and removes those that
  /// killed processes left. Throws InvalidArgument, IoError.
  explicit NewFolder(std::filesystem::path out);
  /// Removes the folder, unless it was published.
  ~NewFolder();
  NewFolder(const NewFolder&) = delete;
  NewFolder& operator=(const NewFolder&) = delete;

  /// Where the content is written.
  [[nodiscard]] const std::filesystem::path& path() const { return path_; }
  /// Gives the folder its name, durably. Throws IoError.
  void publish();

 private:
  std::filesystem::path out_, path_;
  FileDescriptor lock_;  ///< tells the next process that this one lives
};

}  // namespace eflow::program
