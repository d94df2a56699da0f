#pragma once
// DiskCache: one file an artifact, shared by all processes of a user, also over a network file system. An entry appears
// whole by a rename or not at all; whatever is wrong with one is a miss. Nothing here throws for the state of the disk.
//
//   <root>/CACHEDIR.TAG
//   <root>/v1/obj/ab/<64 digits>.art   containers (artifact.hpp); .tmp.* while one is written
//   <root>/v1/use/ab                   when entries were last used: "<64 digits> <seconds since 1970>" lines
//   <root>/v1/lock/00..ff, gc          advisory locks
//   <root>/v1/quarantine/              unsound entries, for a day
//
// Threads and processes: everything may be called at once.

#include <atomic>
#include <chrono>
#include <filesystem>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "eflow/base/atomic_file.hpp"
#include "eflow/jit/artifact.hpp"
#include "eflow/jit/cache_use.hpp"

namespace eflow::jit {

struct DiskCacheOptions {
  std::filesystem::path root;  ///< from choose_cache_root
  std::uint64_t max_bytes = std::uint64_t{1}
                            << 30;           ///< of all entries; the least recently used go first
  std::chrono::seconds min_age{600};         ///< younger entries are never collected
  std::chrono::seconds temporary_age{3600};  ///< older temporaries are garbage of killed processes
  std::chrono::seconds stamp_every{3600};    ///< how exact "last used" is
  std::chrono::milliseconds lock_timeout{60'000};
};

struct CacheEntry {
  Key key;
  std::filesystem::path path;
  std::uint64_t bytes = 0;
  std::int64_t used = 0;  ///< seconds since 1970
};

struct CollectReport {
  std::uint64_t entries = 0, bytes = 0;                  ///< left
  std::uint64_t removed_entries = 0, removed_bytes = 0;  ///< with temporaries and old quarantine
};

/// While alive, other processes that ask for the same lock wait. held() is false after a time-out or where the file
/// system has no locks: go on without.
class KeyLock {
 public:
  KeyLock() = default;
  explicit KeyLock(FileDescriptor file) : file_(std::move(file)) {}
  [[nodiscard]] bool held() const { return file_.valid(); }

 private:
  FileDescriptor file_;
};

class DiskCache {
 public:
  /// nullptr, and the reason in `why`, when the directory is not ours or cannot be made. A directory that can only be
  /// read serves hits.
  [[nodiscard]] static std::unique_ptr<DiskCache> open(const DiskCacheOptions& options,
                                                       std::string& why);

  /// The artifact of exactly this request; else nullptr and the reason in `why`. An unsound entry is quarantined.
  [[nodiscard]] ArtifactPtr get(const Key& key, std::string_view request, std::string& why);

  /// Publishes; false, after one warning in the object's life, when the disk does not take it.
  bool put(const Artifact& artifact);

  /// Moves an entry away: it is sound but could not be loaded.
  void quarantine(const Key& key, std::string_view reason);

  /// Waits up to the time-out for the lock of the key's shard.
  [[nodiscard]] KeyLock lock(const Key& key) const;

  /// Removes old temporaries and quarantined files and, above max_bytes, the least recently used entries down to 80 %.
  CollectReport collect();

  /// All entries, least recently used first, and one of them as it is; nullptr and why when it is unsound.
  [[nodiscard]] std::vector<CacheEntry> entries() const;
  [[nodiscard]] ArtifactPtr read(const CacheEntry& entry, std::string& why) const;
  [[nodiscard]] const DiskCacheOptions& options() const { return options_; }
  /// Whether a new entry could be put here now, but for the space.
  [[nodiscard]] bool writable() const;

 private:
  explicit DiskCache(DiskCacheOptions options);
  [[nodiscard]] std::filesystem::path path_of(const Key& key) const;
  void write_entry(const Key& key, std::string_view container);
  void grown_by(std::uint64_t bytes);
  void warn_once(std::string_view what);

  DiskCacheOptions options_;
  std::filesystem::path base_;  // <root>/v1
  CacheUse use_;
  std::mutex collecting_;
  std::atomic<std::uint64_t> bytes_{0};  // our guess at the size of all entries
  std::atomic<std::uint64_t> puts_{0};
  std::atomic<bool> warned_{false};
};

}  // namespace eflow::jit
