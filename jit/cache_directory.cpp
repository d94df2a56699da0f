#include "eflow/jit/cache_directory.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "eflow/base/error.hpp"

namespace eflow::jit {
namespace {

namespace fs = std::filesystem;

std::string refused(const fs::path& path, const std::string& why) {
  return str(path.string(), ": ", why);
}

/// Whether `path` is a directory of ours that nobody else can change.
std::string inspect(const fs::path& path) {
  struct stat info {};
  // A link is as good as its target, if it is ours: then nobody else chose the target.
  if (lstat(path.c_str(), &info) == 0 && S_ISLNK(info.st_mode) && info.st_uid != geteuid()) {
    return refused(path, "is a link of another user");
  }
  if (stat(path.c_str(), &info) != 0) return refused(path, std::strerror(errno));
  if (!S_ISDIR(info.st_mode)) return refused(path, "is not a directory");
  if (info.st_uid != geteuid()) {
    return refused(path, str("belongs to user ", info.st_uid, ", not to ", geteuid(),
                             "; code is loaded from here"));
  }
  if ((info.st_mode & (S_IWGRP | S_IWOTH)) != 0) {
    return refused(path, "others may write to it; code is loaded from here: chmod go-w it");
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
    if (!fs::is_directory(path, code)) return refused(path, "cannot be made: " + why);
  }
  return inspect(path);
}

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
    const std::string why = secure_directory(path);
    if (why.empty()) return {path, warning};
    if (warning.empty()) warning = why;
  }
  return {{}, warning};
}

}  // namespace eflow::jit
