#include "eflow/trainer/run/run_directory.hpp"

#include <cerrno>

#include "eflow/core/base/error.hpp"

namespace eflow::trainer {

void make_directories(const std::filesystem::path& path) {
  std::error_code error;
  std::filesystem::create_directories(path, error);
  if (!error) return;
  errno = error.value();  // from which throw_errno() chooses the exception
  throw_errno("create folder", path.string());
}

void RunDirectory::open_for_training() {
  make_directories(path_);
  lock_.emplace(path_ / "run.lock");
  make_directories(checkpoints());
  make_directories(samples());
}

std::filesystem::path RunDirectory::preview(std::int64_t step) const {
  return samples() / ("step-" + std::to_string(step));
}

}  // namespace eflow::trainer
