#include "eflow/jit/cache/cache_directory.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "eflow/core/base/error.hpp"

namespace eflow::jit {
namespace {

namespace fs = std::filesystem;

std::string refused(const fs::path& path, const std::string& why) {
  return str(path.string(), ": ", why);
}

/// Returns "" if `path` is a directory that the user owns and nobody else can write to, else why
/// not.
std::string inspect(const fs::path& path) {
  struct stat info {};
  // A symbolic link of the user's own is followed: nobody else chose its target.
  if (lstat(path.c_str(), &info) == 0 && S_ISLNK(info.st_mode) && info.st_uid != geteuid()) {
    return refused(path, "is a symbolic link that belongs to another user");
  }
  if (stat(path.c_str(), &info) != 0) return refused(path, std::strerror(errno));
  if (!S_ISDIR(info.st_mode)) return refused(path, "is not a directory");
  if (info.st_uid != geteuid()) {
    return refused(path, str("it belongs to user ", info.st_uid, ", not to ", geteuid(),
                             ", and code is loaded from it"));
  }
  if ((info.st_mode & (S_IWGRP | S_IWOTH)) != 0) {
    return refused(path, "others may write to it, and code is loaded from it; run chmod go-w");
  }
  return "";
}

}  // namespace

std::string secure_directory(const fs::path& path) {
  std::error_code code;
  if (fs::path parent = path.parent_path(); !parent.empty() && !fs::exists(parent, code)) {
    if (std::string why = secure_directory(parent); !why.empty()) return why;
  }
  if (mkdir(path.c_str(), 0700) != 0 && errno != EEXIST) {
    const std::string why = std::strerror(errno);
    if (!fs::is_directory(path, code)) return refused(path, "cannot be created: " + why);
  }
  return inspect(path);
}

namespace {

/// Returns "" if entries can be written to the directory or read from it, else why not.
std::string inspect_use(const fs::path& path) {
  if (access(path.c_str(), W_OK) == 0) return "";
  const std::string why = std::strerror(errno);
  std::error_code ignored;
  return fs::is_directory(path / "v1/obj", ignored) ? "" : refused(path, why);
}

}  // namespace

CacheRoot choose_cache_root(const CacheChoice& choice) {
  if (choice.named) {
    if (choice.named->empty()) return {};
    const fs::path path = fs::path(*choice.named);
    if (!path.is_absolute())
      return {{}, refused(path, "a cache directory must be an absolute path")};
    const std::string why = secure_directory(path);
    return why.empty() ? CacheRoot{path, ""} : CacheRoot{{}, why};
  }
  std::vector<fs::path> candidates;
  if (fs::path(choice.xdg_cache_home).is_absolute())
    candidates.push_back(fs::path(choice.xdg_cache_home) / "eflow");
  if (fs::path(choice.home).is_absolute())
    candidates.push_back(fs::path(choice.home) / ".cache/eflow");
  candidates.push_back(choice.temporary / str("eflow-", geteuid()));
  std::string warning;
  for (const fs::path& path : candidates) {
    std::string why = secure_directory(path);
    if (why.empty()) why = inspect_use(path);
    if (why.empty()) return {path, warning};
    if (warning.empty()) warning = why;
  }
  return {{}, warning};
}

}  // namespace eflow::jit
