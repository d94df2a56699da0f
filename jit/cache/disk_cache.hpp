#pragma once
// DiskCache: one file per artifact, shared by all processes of a user, also on network file
// systems. Entries are published by rename, so they appear whole or not at all; a corrupt entry
// counts as a miss. No member throws because of the state of the disk.
//
//   <root>/CACHEDIR.TAG
//   <root>/v1/obj/ab/<64 digits>.art   containers (artifact.hpp); .tmp.* while being written
//   <root>/v1/use/ab                   lines "<64 digits> <seconds since 1970>": last use of
// entries
//   <root>/v1/lock/00..ff, gc          advisory locks
//   <root>/v1/quarantine/              corrupt entries, kept for a day
//
// Threads and processes: all members may be called concurrently.

#include <atomic>
#include <chrono>
#include <filesystem>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "eflow/core/base/atomic_file.hpp"
#include "eflow/core/base/export.hpp"
#include "eflow/jit/cache/cache_use.hpp"
#include "eflow/jit/kernel/artifact.hpp"
#include "eflow/jit/kernel/compiler.hpp"

EFLOW_EXPORT_BEGIN

namespace eflow::jit {

/// Limits and timings; the defaults suit all users.
struct DiskCacheOptions {
  std::filesystem::path root = {};  ///< from choose_cache_root
  /// Bound on the total size of all entries; the least recently used are removed first.
  std::uint64_t max_bytes = std::uint64_t{1} << 30;
  std::chrono::seconds min_age{600};  ///< younger entries are never removed
  /// Older temporaries are leftovers of killed processes.
  std::chrono::seconds temporary_age{3600};
  std::chrono::seconds stamp_every{3600};  ///< resolution of "last used"
  std::chrono::milliseconds lock_timeout{60'000};
};

/// One file of the cache.
struct CacheEntry {
  Key key = {};
  std::filesystem::path path = {};
  std::uint64_t bytes = 0;
  std::int64_t used = 0;  ///< seconds since 1970
};

/// The result of collect().
struct CollectReport {
  std::uint64_t entries = 0, bytes = 0;  ///< remaining
  /// Including temporaries and old quarantined files.
  std::uint64_t removed_entries = 0, removed_bytes = 0;
};

/// An advisory lock between processes, released on destruction. held() is false after a time-out or
/// if the file system has no locks; the caller then proceeds without it, at the risk of duplicate
/// work.
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
  /// Opens or creates the cache. Returns nullptr and sets `why` if the directory cannot be created
  /// or is not safe. A read-only directory still serves hits.
  [[nodiscard]] static std::unique_ptr<DiskCache> open(const DiskCacheOptions& options,
                                                       std::string& why);

  /// Returns the artifact of exactly this request, or nullptr with the reason in `why`. A corrupt
  /// entry is quarantined.
  [[nodiscard]] ArtifactPtr get(const Key& key, std::string_view request, std::string& why);

  /// Publishes an artifact. Returns false if the disk refuses it; warns once per object.
  bool put(const Artifact& artifact);

  /// Moves a valid entry that could not be loaded to the quarantine.
  void quarantine(const Key& key, std::string_view reason);

  /// Acquires the lock of the key's shard, waiting up to the time-out or until the limits' stop.
  [[nodiscard]] KeyLock lock(const Key& key, const CompileLimits& limits = {}) const;

  /// Removes old temporaries and quarantined files. If the total exceeds max_bytes, also removes
  /// the least recently used entries until 80 % of it remain.
  CollectReport collect();

  /// All entries, least recently used first.
  [[nodiscard]] std::vector<CacheEntry> entries() const;
  /// Reads one entry; nullptr with the reason in `why` if it is corrupt.
  [[nodiscard]] ArtifactPtr read(const CacheEntry& entry, std::string& why) const;
  [[nodiscard]] const DiskCacheOptions& options() const { return options_; }
  /// Whether new entries can be written, free space aside.
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
  std::atomic<std::uint64_t> bytes_{0};  // estimated total size of all entries
  std::atomic<std::uint64_t> puts_{0};
  std::atomic<bool> warned_{false};
};

}  // namespace eflow::jit

EFLOW_EXPORT_END
