#include "eflow/io/checkpoint/step_folder.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <charconv>
#include <cstdio>

#include "eflow/core/base/error.hpp"
#include "eflow/core/base/log.hpp"

namespace eflow::io {
namespace fs = std::filesystem;
namespace {

constexpr std::string_view kPrefix = "step-", kTemporary = ".tmp-";
/// Names tried for a temporary directory; another container's process may have the same id.
constexpr int kNames = 1000;

FileDescriptor open_directory(const fs::path& path) {
  return FileDescriptor(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
}

/// For file systems that cannot exchange two names: the old directory is renamed away and back if
/// the new one cannot take its place.
void replace_in_two_steps(const fs::path& temporary, const fs::path& final) {
  fs::path away = temporary;
  away += "-old";
  rename_durably(final, away);
  try {
    rename_durably(temporary, final);
  } catch (...) {
    static_cast<void>(::rename(away.c_str(), final.c_str()));
    throw;
  }
  std::error_code ignored;
  fs::remove_all(away, ignored);
}

}  // namespace

std::string name_of_step(std::int64_t step) {
  char name[32];
  std::snprintf(name, sizeof name, "step-%08lld", static_cast<long long>(step));
  return name;
}

std::optional<std::int64_t> step_of_name(const std::string& name) {
  std::int64_t step = 0;
  if (!name.starts_with(kPrefix)) return std::nullopt;
  const char* end = name.data() + name.size();
  const auto [stop, code] = std::from_chars(name.data() + kPrefix.size(), end, step);
  if (code != std::errc() || stop != end || name_of_step(step) != name) return std::nullopt;
  return step;
}

bool is_temporary_name(const std::string& name) {
  const std::size_t mark = name.find(kTemporary);
  return mark != std::string::npos && step_of_name(name.substr(0, mark));
}

std::vector<fs::directory_entry> entries_of(const fs::path& directory) {
  std::vector<fs::directory_entry> entries;
  std::error_code code;
  for (fs::directory_iterator it(directory, code), end; !code && it != end; it.increment(code)) {
    entries.push_back(*it);
  }
  if (!code || code == std::errc::no_such_file_or_directory) return entries;
  errno = code.value();  // from which throw_errno() chooses the exception
  throw_errno("list", directory.string());
}

TemporaryDirectory::TemporaryDirectory(const fs::path& parent, const std::string& name) {
  static std::atomic<unsigned> counter{0};
  for (int tries = 0; tries < kNames; ++tries) {
    path_ = parent / str(name, kTemporary, ::getpid(), "-", counter++);
    if (::mkdir(path_.c_str(), 0777) != 0) {
      if (errno == EEXIST) continue;
      throw_errno("create", path_.string());
    }
    lock_ = open_directory(path_);
    // Between mkdir and lock, another save may have taken the directory for a leftover.
    if (lock_.valid() && try_lock(lock_, path_) != LockState::kBusy && fs::exists(path_)) return;
  }
  throw IoError(str("[checkpoint] ", parent.string(), ": all ", kNames,
                    " names tried for a temporary directory are taken; remove the directories ",
                    name, kTemporary, "*"));
}

TemporaryDirectory::~TemporaryDirectory() {
  std::error_code code;
  fs::remove_all(path_, code);
}

void commit_folder(const fs::path& temporary, const fs::path& final) {
  if (!fs::exists(final)) return rename_durably(temporary, final);
  if (::renameat2(AT_FDCWD, temporary.c_str(), AT_FDCWD, final.c_str(), RENAME_EXCHANGE) == 0) {
    return sync_directory(final.parent_path());
  }
  if (errno != EINVAL && errno != ENOSYS && errno != EOPNOTSUPP) {
    throw_errno("replace", final.string());
  }
  replace_in_two_steps(temporary, final);
}

void remove_folder(const fs::path& path) {
  fs::path away = path;
  away += std::string(kTemporary) + "removed";
  std::error_code code;
  fs::remove_all(away, code);
  fs::rename(path, away, code);
  if (!code) fs::remove_all(away, code);
  if (code) log_warning("[checkpoint] cannot remove ", path.string(), ": ", code.message());
}

}  // namespace eflow::io
