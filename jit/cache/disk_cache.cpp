#include "eflow/jit/cache/disk_cache.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <thread>

#include "eflow/core/base/error.hpp"
#include "eflow/core/base/log.hpp"
#include "eflow/jit/cache/cache_directory.hpp"
#include "eflow/jit/cache/file_publish.hpp"
#include "eflow/jit/kernel/compiler.hpp"

namespace eflow::jit {
namespace {

namespace fs = std::filesystem;

/// Above any kernel's size; a larger file is not ours.
constexpr off_t kMaxEntryBytes = off_t{512} << 20;
/// Puts by this process after which the directory is measured again, because other processes write
/// to it too.
constexpr std::uint64_t kMeasureEvery = 64;

std::int64_t now_seconds() {
  return std::chrono::duration_cast<std::chrono::seconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

/// Reads a whole file, if it is a regular file that the user owns. Otherwise returns nullopt and
/// sets `why`; "not found" for ENOENT.
std::optional<std::string> read_own_file(const fs::path& path, std::string& why) {
  const FileDescriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
  struct stat info {};
  if (!file.valid() || fstat(file.get(), &info) != 0) {
    why = errno == ENOENT ? "not found" : str(path.string(), ": ", std::strerror(errno));
    return std::nullopt;
  }
  if (!S_ISREG(info.st_mode) || info.st_uid != geteuid() || info.st_size > kMaxEntryBytes) {
    why = str(path.string(), " is not a regular file that this user owns");
    return std::nullopt;
  }
  std::string bytes(static_cast<std::size_t>(info.st_size), '\0');
  try {
    read_at(file, path, 0, std::as_writable_bytes(std::span(bytes)));
  } catch (const Error& e) {
    why = e.what();
    return std::nullopt;
  }
  return bytes;
}

}  // namespace

DiskCache::DiskCache(DiskCacheOptions options)
    : options_(std::move(options)),
      base_(options_.root / "v1"),
      use_(base_ / "use", options_.stamp_every) {}

std::unique_ptr<DiskCache> DiskCache::open(const DiskCacheOptions& options, std::string& why) {
  std::unique_ptr<DiskCache> cache(new DiskCache(options));
  for (const fs::path& path : {options.root, cache->base_, cache->base_ / "obj"}) {
    if (why = secure_directory(path); !why.empty()) return nullptr;
  }
  for (const char* name : {"use", "lock", "quarantine"}) {
    if (!secure_directory(cache->base_ / name).empty()) return cache;  // entries can still be read
  }
  std::error_code ignored;
  if (const fs::path tag = options.root / "CACHEDIR.TAG"; !fs::exists(tag, ignored)) {
    try {
      publish(tag,
              "Signature: 8a477f597d28d172789f06886806bc55\n# Compiled kernels of eflow; may be "
              "deleted at any time.\n");
    } catch (const Error&) {
      // Without the tag, backup programs copy the cache, which is harmless.
    }
  }
  return cache;
}

fs::path DiskCache::path_of(const Key& key) const {
  const std::string hex = to_hex(key);
  return base_ / "obj" / hex.substr(0, 2) / (hex + ".art");
}

ArtifactPtr DiskCache::get(const Key& key, std::string_view request, std::string& why) {
  const std::optional<std::string> bytes = read_own_file(path_of(key), why);
  if (!bytes) return nullptr;
  std::optional<Artifact> artifact = Artifact::decode(*bytes, &why);
  if (!artifact) {
    quarantine(key, why);
    return nullptr;
  }
  if (artifact->request != request) {
    why = "the entry belongs to another request with the same key";
    return nullptr;
  }
  artifact->key = key;
  use_.touch(key, now_seconds());
  return std::make_shared<const Artifact>(*std::move(artifact));
}

ArtifactPtr DiskCache::read(const CacheEntry& entry, std::string& why) const {
  const std::optional<std::string> bytes = read_own_file(entry.path, why);
  std::optional<Artifact> artifact = bytes ? Artifact::decode(*bytes, &why) : std::nullopt;
  return artifact ? std::make_shared<const Artifact>(*std::move(artifact)) : nullptr;
}

bool DiskCache::put(const Artifact& artifact) {
  const std::string container = artifact.encode();
  try {
    write_entry(artifact.key, container);
  } catch (const Error& e) {
    warn_once(e.what());
    return false;
  }
  use_.touch(artifact.key, now_seconds());
  grown_by(container.size());
  return true;
}

bool DiskCache::writable() const {
  return access((base_ / "obj").c_str(), W_OK) == 0;
}

void DiskCache::write_entry(const Key& key, std::string_view container) {
  const fs::path path = path_of(key);
  if (mkdir(path.parent_path().c_str(), 0700) != 0 && errno != EEXIST) {
    throw_errno("cannot create", path.parent_path().string());
  }
  publish(path, container);
}

void DiskCache::grown_by(std::uint64_t bytes) {
  const std::uint64_t guess = bytes_.fetch_add(bytes) + bytes;
  const bool measure = puts_.fetch_add(1) % kMeasureEvery == 0;
  if (!measure && guess <= options_.max_bytes) return;
  const std::unique_lock lock(collecting_, std::try_to_lock);
  if (lock.owns_lock()) bytes_ = collect().bytes;
}

void DiskCache::quarantine(const Key& key, std::string_view reason) {
  const fs::path from = path_of(key);
  const fs::path to = base_ / "quarantine" / str(to_hex(key), '.', getpid(), ".art");
  if (std::rename(from.c_str(), to.c_str()) != 0) unlink(from.c_str());
  log_info("[jit] ", from.string(), " is unusable (", reason,
           "); moved to quarantine, and the kernel is compiled again");
}

KeyLock DiskCache::lock(const Key& key, const CompileLimits& limits) const {
  const fs::path path = base_ / "lock" / to_hex(key).substr(0, 2);
  FileDescriptor file(::open(path.c_str(), O_CREAT | O_RDWR | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!file.valid()) return {};
  const auto deadline = std::chrono::steady_clock::now() + options_.lock_timeout;
  std::chrono::milliseconds pause{2};
  while (true) {
    try {
      const LockState state = try_lock(file, path);
      if (state == LockState::kHeld) return KeyLock(std::move(file));
      if (state == LockState::kUnsupported) return {};
    } catch (const IoError&) {
      return {};
    }
    if (std::chrono::steady_clock::now() >= deadline || limits.stopped()) return {};
    std::this_thread::sleep_for(pause);
    pause = std::min(pause * 2, std::chrono::milliseconds(50));
  }
}

void DiskCache::warn_once(std::string_view what) {
  if (warned_.exchange(true)) return;
  log_warning("[jit] ", what,
              ". Compiled kernels are kept in memory only; the next run compiles them again.");
}

}  // namespace eflow::jit
