#pragma once
// When cache entries were last used. Not the file system's access times, which are often off: one small file for each of
// 256 shards, rewritten at most once in a while. Lossy: two processes may overwrite each other's stamps, which costs an
// entry its place in the queue and nothing else.

#include <chrono>
#include <filesystem>
#include <map>
#include <mutex>

#include "eflow/jit/build_request.hpp"

namespace eflow::jit {

class CacheUse {
 public:
  CacheUse(std::filesystem::path directory, std::chrono::seconds every)
      : directory_(std::move(directory)), every_(every) {}

  /// Notes that the entry was used now (seconds since 1970).
  void touch(const Key& key, std::int64_t now);
  /// All stamps.
  [[nodiscard]] std::map<Key, std::int64_t> read() const;
  /// Forgets all entries but these, which bounds the files.
  void keep_only(const std::map<Key, std::int64_t>& stamps);

 private:
  std::filesystem::path directory_;
  std::chrono::seconds every_;
  std::mutex mutex_;
  std::map<Key, std::int64_t> touched_;  // by this process
};

}  // namespace eflow::jit
