#include "eflow/trainer/run/run_directory.hpp"

#include <fcntl.h>
#include <sys/stat.h>

#include <cerrno>
#include <utility>

#include "eflow/core/base/error.hpp"

namespace eflow::trainer {

void make_directories(const std::filesystem::path& path) {
  std::error_code error;
  std::filesystem::create_directories(path, error);
  if (!error) return;
  errno = error.value();  // from which throw_errno() chooses the exception
  throw_errno("create folder", path.string());
}

bool path_exists(const std::filesystem::path& path) {
  std::error_code error;
  const bool exists = std::filesystem::exists(path, error);
  if (!error || error == std::errc::not_a_directory) return exists;
  errno = error.value();
  throw_errno("look up", path.string());
}

FolderId id_of_folder(const std::filesystem::path& path) {
  struct stat info {};
  if (::stat(path.c_str(), &info) != 0) throw_errno("look up", path.string());
  return {info.st_dev, info.st_ino};
}

void RunDirectory::open_for_training() {
  make_directories(path_);
  FileDescriptor folder(::open(path_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!folder.valid()) throw_errno("open", path_.string());
  lock_.emplace(path_ / "run.lock");
  make_directories(checkpoints());
  make_directories(samples());
  folder_ = std::move(folder);
}

RunDirectory::Place RunDirectory::place() const {
  struct stat named {
  }, opened{};
  if (::fstat(folder_.get(), &opened) != 0) throw_errno("stat", path_.string());
  if (::stat(path_.c_str(), &named) == 0 && named.st_dev == opened.st_dev &&
      named.st_ino == opened.st_ino)
    return Place::kHere;
  return opened.st_nlink == 0 ? Place::kGone : Place::kMoved;
}

void RunDirectory::follow() {
  std::error_code error;
  const auto now = std::filesystem::read_symlink(str("/proc/self/fd/", folder_.get()), error);
  if (error) throw IoError(str("[run] ", path_.string(), " was moved: ", error.message()));
  path_ = now;
}

std::filesystem::path RunDirectory::preview(std::int64_t step) const {
  return samples() / ("step-" + std::to_string(step));
}

std::filesystem::path RunDirectory::replay(std::int64_t step) const {
  return path_ / "replay" / ("step-" + std::to_string(step));
}

}  // namespace eflow::trainer
