#pragma once
// CacheUse: records when cache entries were last used, because file access times are often
// disabled. One small file per shard of 256 is rewritten at most once per interval. Updates may be
// lost between processes, which only affects the order of eviction.

#include <chrono>
#include <filesystem>
#include <map>
#include <mutex>

#include "eflow/core/base/export.hpp"
#include "eflow/jit/kernel/build_request.hpp"

EFLOW_EXPORT_BEGIN

namespace eflow::jit {

/// Threads: all members may be called concurrently.
class CacheUse {
 public:
  /// `every` is the least time between two rewrites of a shard.
  CacheUse(std::filesystem::path directory, std::chrono::seconds every)
      : directory_(std::move(directory)), every_(every) {}

  /// Records that the entry was used at `now` (seconds since 1970).
  void touch(const Key& key, std::int64_t now);
  /// Returns all time stamps, in seconds since 1970.
  [[nodiscard]] std::map<Key, std::int64_t> read() const;
  /// Forgets all entries but these, which bounds the size of the files.
  void keep_only(const std::map<Key, std::int64_t>& stamps);

 private:
  std::filesystem::path directory_;
  std::chrono::seconds every_;
  std::mutex mutex_;
  std::map<Key, std::int64_t> touched_;  // by this process
};

}  // namespace eflow::jit

EFLOW_EXPORT_END
