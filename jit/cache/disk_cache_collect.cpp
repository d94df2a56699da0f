// Garbage collection of the disk cache. It needs no lock against readers and writers: an entry
// removed while another process opens it is a miss there.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

#include "eflow/core/base/error.hpp"
#include "eflow/jit/cache/disk_cache.hpp"
#include "eflow/jit/cache/file_publish.hpp"

namespace eflow::jit {
namespace {

namespace fs = std::filesystem;

constexpr std::int64_t kQuarantineSeconds = 24 * 3600;

std::int64_t now_seconds() {
  return std::chrono::duration_cast<std::chrono::seconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

struct FileFact {
  fs::path path;
  std::uint64_t bytes;
  std::int64_t changed;
};

/// Regular files directly in a directory; files that vanish meanwhile are skipped.
std::vector<FileFact> files_in(const fs::path& directory) {
  std::vector<FileFact> out;
  std::error_code code;
  for (const fs::directory_entry& entry : fs::directory_iterator(directory, code)) {
    struct stat info {};
    if (lstat(entry.path().c_str(), &info) != 0 || !S_ISREG(info.st_mode)) continue;
    out.push_back({entry.path(), static_cast<std::uint64_t>(info.st_size), info.st_mtim.tv_sec});
  }
  return out;
}

/// All regular files in the two-digit subdirectories.
std::vector<FileFact> object_files(const fs::path& objects) {
  std::vector<FileFact> out;
  std::error_code code;
  for (const fs::directory_entry& shard : fs::directory_iterator(objects, code)) {
    for (FileFact& file : files_in(shard.path())) out.push_back(std::move(file));
  }
  return out;
}

std::optional<Key> key_of_file(const fs::path& path) {
  return path.extension() == ".art" ? key_from_hex(path.stem().string()) : std::nullopt;
}

/// Whether a file is older than `age`. A time far in the future also counts, since it comes from a
/// wrong clock and the file would otherwise live forever.
bool is_old(std::int64_t changed, std::int64_t now, std::int64_t age) {
  return now - changed > age || changed - now > std::max<std::int64_t>(age, 3600);
}

void remove(const FileFact& file, CollectReport& report) {
  if (unlink(file.path.c_str()) != 0) return;
  ++report.removed_entries;
  report.removed_bytes += file.bytes;
}

/// Removes leftovers of killed processes, and quarantined files older than a day.
void remove_litter(const fs::path& base, std::int64_t temporary_age, CollectReport& report) {
  const std::int64_t now = now_seconds();
  std::vector<FileFact> candidates = object_files(base / "obj");
  for (FileFact& file : files_in(base / "use")) candidates.push_back(std::move(file));
  for (const FileFact& file : candidates) {
    const bool temporary = file.path.filename().string().starts_with(kTemporaryPrefix);
    if (temporary && is_old(file.changed, now, temporary_age)) remove(file, report);
  }
  for (const FileFact& file : files_in(base / "quarantine")) {
    if (is_old(file.changed, now, kQuarantineSeconds)) remove(file, report);
  }
}

/// Whether no other process collects. Without locks, two may: each removes what the other has not.
bool may_collect(const FileDescriptor& lock, const fs::path& base) try {
  return try_lock(lock, base / "lock/gc") != LockState::kBusy;
} catch (const IoError&) {
  return false;
}

}  // namespace

std::vector<CacheEntry> DiskCache::entries() const {
  const std::map<Key, std::int64_t> stamps = use_.read();
  std::vector<CacheEntry> out;
  for (const FileFact& file : object_files(base_ / "obj")) {
    const std::optional<Key> key = key_of_file(file.path);
    if (!key) continue;
    const auto stamp = stamps.find(*key);
    out.push_back({*key, file.path, file.bytes,
                   stamp == stamps.end() ? file.changed : std::max(file.changed, stamp->second)});
  }
  std::sort(out.begin(), out.end(), [](const CacheEntry& a, const CacheEntry& b) {
    return std::tie(a.used, a.key) < std::tie(b.used, b.key);
  });
  return out;
}

CollectReport DiskCache::collect() {
  CollectReport report;
  const FileDescriptor lock(
      ::open((base_ / "lock/gc").c_str(), O_CREAT | O_RDWR | O_CLOEXEC | O_NOFOLLOW, 0600));
  const bool alone = lock.valid() && may_collect(lock, base_);
  if (alone) remove_litter(base_, options_.temporary_age.count(), report);

  const std::vector<CacheEntry> all = entries();
  for (const CacheEntry& e : all) report.bytes += e.bytes;
  report.entries = all.size();
  if (!alone || report.bytes <= options_.max_bytes) return report;

  const std::uint64_t goal = options_.max_bytes / 5 * 4;
  const std::int64_t now = now_seconds();
  std::map<Key, std::int64_t> kept;
  for (const CacheEntry& e : all) {
    if (report.bytes > goal && is_old(e.used, now, options_.min_age.count() - 1) &&
        unlink(e.path.c_str()) == 0) {
      ++report.removed_entries;
      report.removed_bytes += e.bytes;
      report.bytes -= e.bytes;
      --report.entries;
    } else {
      kept[e.key] = e.used;
    }
  }
  use_.keep_only(kept);
  return report;
}

}  // namespace eflow::jit
