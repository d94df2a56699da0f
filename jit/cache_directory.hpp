#pragma once
// Where compiled kernels may lie. We load code from there, so a directory must belong to us and be writable by nobody
// else. Finding none is normal: caching is then in memory only.

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace eflow::jit {

/// Makes the directory (0700, with its parents) when it is missing. Returns "" when it is ours and safe, else why not.
[[nodiscard]] std::string secure_directory(const std::filesystem::path& path);

/// Where to look, in this order. A directory that the user named is the only candidate.
struct CacheChoice {
  std::optional<std::string> named;  ///< option or EFLOW_CACHE_DIR; "" = no disk cache
  std::string xdg_cache_home;        ///< $XDG_CACHE_HOME
  std::string home;                  ///< $HOME
  std::filesystem::path temporary = "/tmp";
};

struct CacheRoot {
  std::filesystem::path path;  ///< empty: memory only
  std::string warning;         ///< what the user should know: a first choice that could not be used
};

/// <named>, or the first usable of $XDG_CACHE_HOME/eflow, $HOME/.cache/eflow, <temporary>/eflow-<uid>. Never throws.
[[nodiscard]] CacheRoot choose_cache_root(const CacheChoice& choice);

}  // namespace eflow::jit
