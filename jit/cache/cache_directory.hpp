#pragma once
// Chooses the directory of the disk cache. Code is loaded from it, so it must belong to the user
// and be writable by nobody else. Without a suitable directory, caching is in memory only.

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "eflow/core/base/export.hpp"

EFLOW_EXPORT_BEGIN

namespace eflow::jit {

/// Creates the directory (mode 0700, with its parents) if missing. Returns "" if it is safe, else
/// the reason.
[[nodiscard]] std::string secure_directory(const std::filesystem::path& path);

/// The candidates, in order of preference. If `named` is set it is the only candidate.
struct CacheChoice {
  std::optional<std::string> named = {};  ///< from an option or EFLOW_CACHE_DIR; "" = no disk cache
  std::string xdg_cache_home = "";        ///< $XDG_CACHE_HOME
  std::string home = "";                  ///< $HOME
  std::filesystem::path temporary = "/tmp";
};

struct CacheRoot {
  std::filesystem::path path = {};  ///< empty: no disk cache
  std::string warning = "";         ///< set if a preferred candidate could not be used
};

/// Returns `named` or the first usable of $XDG_CACHE_HOME/eflow, $HOME/.cache/eflow and
/// <temporary>/eflow-<uid>. Never throws.
[[nodiscard]] CacheRoot choose_cache_root(const CacheChoice& choice);

}  // namespace eflow::jit

EFLOW_EXPORT_END
