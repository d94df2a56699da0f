#include "eflow/trainer/program/weights/new_folder.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "eflow/core/base/error.hpp"
#include "eflow/trainer/run/run_directory.hpp"

namespace eflow::program {
namespace {

namespace fs = std::filesystem;

void remove_abandoned(const fs::path& parent, const std::string& prefix) {
  std::error_code code;
  for (const fs::directory_entry& entry : fs::directory_iterator(parent, code)) {
    if (!entry.path().filename().string().starts_with(prefix)) continue;
    std::error_code ignored;
    if (entry.is_directory(ignored) && claim_abandoned(entry.path()).valid())
      fs::remove_all(entry.path(), ignored);
  }
}

}  // namespace

NewFolder::NewFolder(fs::path out) : out_(std::move(out)) {
  if (!out_.has_filename()) out_ = out_.parent_path();  // "folder/"
  if (trainer::path_exists(out_) && !fs::is_empty(out_)) {
    throw InvalidArgument(
        str("--out: expected a new or empty folder, found ", out_.string(), " with files in it"));
  }
  const fs::path parent = fs::absolute(out_).parent_path();
  const std::string prefix = out_.filename().string() + ".tmp-";
  trainer::make_directories(parent);
  remove_abandoned(parent, prefix);
  for (int n = 0;; ++n) {
    path_ = out_.parent_path() / str(prefix, ::getpid(), "-", n);
    if (::mkdir(path_.c_str(), 0777) == 0) break;
    if (errno != EEXIST) throw_errno("create folder", path_.string());
  }
  lock_ = FileDescriptor(::open(path_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (lock_.valid()) static_cast<void>(try_lock(lock_, path_));
}

NewFolder::~NewFolder() {
  std::error_code ignored;
  if (!path_.empty()) fs::remove_all(path_, ignored);
}

void NewFolder::publish() {
  sync_directory(path_);
  rename_durably(path_, fs::absolute(out_));
  path_.clear();
}

}  // namespace eflow::program
