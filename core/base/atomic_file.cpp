#include "eflow/core/base/atomic_file.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <utility>

#include "eflow/core/base/error.hpp"
#include "eflow/core/base/log.hpp"

namespace eflow {
namespace fs = std::filesystem;
namespace {

constexpr std::string_view kTemporary = ".tmp-";
/// Names tried for a temporary. Another process has the same id if it runs in another container.
constexpr int kNames = 1000;
/// Directory entries inspected for leftovers, so that a large directory does not slow each write.
constexpr int kMostEntries = 4096;

/// Where the file system has no locks, an older leftover belongs to no running process.
constexpr std::chrono::hours kAbandonedAge{24};

fs::path directory_of(const fs::path& path) {
  return path.has_parent_path() ? path.parent_path() : fs::path(".");
}

/// Whether the name ends in ".tmp-PID-n" after `stem`.
bool is_temporary_of(std::string_view name, std::string_view stem) {
  if (!name.starts_with(stem) || !name.substr(stem.size()).starts_with(kTemporary)) return false;
  const std::string_view rest = name.substr(stem.size() + kTemporary.size());
  const std::size_t dash = rest.find('-');
  return dash != std::string_view::npos && dash > 0 && dash + 1 < rest.size() &&
         rest.find_first_not_of("0123456789-") == std::string_view::npos &&
         rest.find('-', dash + 1) == std::string_view::npos;
}

/// Removes what killed writers of `path` left. A writer holds the lock of its temporary.
void remove_leftovers(const fs::path& path) {
  const std::string stem = path.filename().string();
  std::error_code code;
  int entries = 0;
  for (auto at = fs::directory_iterator(directory_of(path), code);
       !code && at != fs::directory_iterator() && entries++ < kMostEntries; at.increment(code)) {
    std::error_code ignored;
    if (!is_temporary_of(at->path().filename().string(), stem) || !at->is_regular_file(ignored) ||
        at->is_symlink(ignored))
      continue;
    if (const FileDescriptor abandoned = claim_abandoned(at->path()); abandoned.valid())
      ::unlink(at->path().c_str());
  }
}

/// A temporary file next to the file that it will replace, locked while it is being written.
struct Temporary {
  fs::path path;
  FileDescriptor file;

  /// Creates it under a name that nobody uses.
  explicit Temporary(const fs::path& target) {
    static std::atomic<unsigned> counter{0};
    for (int tries = 0; tries < kNames; ++tries) {
      path = target;
      path += str(kTemporary, ::getpid(), "-", counter++);
      file = FileDescriptor(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666));
      if (!file.valid() && errno == EEXIST) continue;
      if (!file.valid()) throw_errno("create", path.string());
      // Between open and lock, another writer may have taken the file for a leftover.
      struct stat info {};
      if (try_lock(file, path) != LockState::kBusy && ::fstat(file.get(), &info) == 0 &&
          info.st_nlink > 0)
        return;
    }
    throw IoError(str("[create] ", target.string(), ": all ", kNames,
                      " names tried for a temporary file are taken; remove the files ",
                      target.string(), kTemporary, "*"));
  }
};

}  // namespace

FileDescriptor::FileDescriptor(FileDescriptor&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)) {}

FileDescriptor& FileDescriptor::operator=(FileDescriptor&& other) noexcept {
  std::swap(fd_, other.fd_);
  return *this;
}

FileDescriptor::~FileDescriptor() {
  if (fd_ >= 0) ::close(fd_);
}

void FileDescriptor::close(const std::string& path) {
  if (::close(std::exchange(fd_, -1)) != 0) throw_errno("close", path);
}

FileDescriptor open_read(const fs::path& path) {
  // O_NONBLOCK: opening a FIFO without a writer would wait forever. It has no effect on a file.
  FileDescriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  if (!file.valid()) throw_errno("open", path.string());
  struct stat info {};
  if (::fstat(file.get(), &info) != 0) throw_errno("stat", path.string());
  if (!S_ISREG(info.st_mode) && !S_ISDIR(info.st_mode)) {
    throw IoError(str("[open] ", path.string(), " is not a regular file but a ",
                      S_ISFIFO(info.st_mode) ? "FIFO" : "device or socket",
                      "; write its content to a file and name that"));
  }
  return file;
}

void read_at(const FileDescriptor& file, const fs::path& path, std::uint64_t offset,
             std::span<std::byte> bytes) {
  for (std::size_t done = 0; done < bytes.size();) {
    const ssize_t n = ::pread(file.get(), bytes.data() + done, bytes.size() - done,
                              static_cast<off_t>(offset + done));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) throw_errno("read", path.string());
    if (n == 0) {
      throw CorruptData(str("[read] ", path.string(), " ends at byte ", offset + done, " but ",
                            bytes.size() - done,
                            " more bytes are expected: the file is truncated"));
    }
    done += static_cast<std::size_t>(n);
  }
}

void write_all(const FileDescriptor& file, const fs::path& path, std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const ssize_t n = ::write(file.get(), bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) throw_errno("write", path.string());
    bytes = bytes.subspan(static_cast<std::size_t>(n));
  }
}

void sync_file(const FileDescriptor& file, const fs::path& path) {
  if (::fsync(file.get()) != 0) throw_errno("fsync", path.string());
}

void sync_directory(const fs::path& directory) {
  const FileDescriptor file(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!file.valid()) throw_errno("open", directory.string());
  if (::fsync(file.get()) == 0) return;
  // This file system cannot sync directories, so there is nothing to flush.
  if (errno == EINVAL || errno == ENOSYS || errno == EOPNOTSUPP) return;
  throw_errno("fsync", directory.string());
}

void write_file_atomically(const fs::path& path, std::span<const std::byte> content) {
  remove_leftovers(path);
  Temporary temporary(path);
  try {
    write_all(temporary.file, temporary.path, content);
    sync_file(temporary.file, temporary.path);
    // A second descriptor keeps the lock until the file has its name.
    const FileDescriptor lock(::fcntl(temporary.file.get(), F_DUPFD_CLOEXEC, 0));
    temporary.file.close(temporary.path.string());
    rename_durably(temporary.path, path);
  } catch (...) {
    ::unlink(temporary.path.c_str());
    throw;
  }
}

void write_file_atomically(const fs::path& path, std::string_view content) {
  write_file_atomically(path, std::as_bytes(std::span(content.data(), content.size())));
}

void rename_durably(const fs::path& from, const fs::path& to) {
  if (::rename(from.c_str(), to.c_str()) != 0) {
    throw_errno(str("rename ", from.string(), " to"), to.string());
  }
  sync_directory(directory_of(to));
}

std::string read_file(const fs::path& path, std::uint64_t max_bytes) {
  const FileDescriptor file = open_read(path);
  struct stat info {};
  if (::fstat(file.get(), &info) != 0) throw_errno("stat", path.string());
  if (!S_ISREG(info.st_mode)) {
    throw IoError(str("[read] ", path.string(), " is not a regular file"));
  }
  if (static_cast<std::uint64_t>(info.st_size) > max_bytes) {
    throw InvalidArgument(str("[read] ", path.string(), " has ", info.st_size,
                              " bytes, more than the ", max_bytes, " allowed here"));
  }
  std::string content(static_cast<std::size_t>(info.st_size), '\0');
  read_at(file, path, 0, std::as_writable_bytes(std::span(content.data(), content.size())));
  return content;
}

void require_free_space(const fs::path& directory, std::uint64_t bytes) {
  std::error_code code;
  const fs::space_info space = fs::space(directory, code);
  if (code) throw IoError(str("[free space] ", directory.string(), ": ", code.message()));
  if (space.available < bytes) {
    throw NoSpaceError(str("[free space] ", directory.string(), " has ", space.available >> 20,
                           " MiB free but ", (bytes >> 20) + 1,
                           " MiB are needed; free some space or choose another directory"));
  }
}

LockState try_lock(const FileDescriptor& file, const fs::path& path) {
  while (::flock(file.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno == EWOULDBLOCK) return LockState::kBusy;
    if (errno == ENOSYS || errno == ENOLCK || errno == EOPNOTSUPP) return LockState::kUnsupported;
    if (errno != EINTR) throw_errno("lock", path.string());
  }
  return LockState::kHeld;
}

FileDescriptor claim_abandoned(const fs::path& path) try {
  FileDescriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW));
  struct stat info {};
  if (!file.valid() || ::fstat(file.get(), &info) != 0) return {};
  const LockState state = try_lock(file, path);
  if (state == LockState::kHeld) return file;
  const auto now = std::chrono::system_clock::now();
  const bool old = now - std::chrono::system_clock::from_time_t(info.st_mtime) > kAbandonedAge;
  return state == LockState::kUnsupported && old ? std::move(file) : FileDescriptor();
} catch (const Error&) {
  return {};
}

namespace {

/// Whether the path still names the open file. A holder may remove the file of its lock; a lock on a
/// removed file excludes nobody.
bool is_named(const FileDescriptor& file, const fs::path& path) {
  struct stat opened {
  }, named{};
  return ::fstat(file.get(), &opened) == 0 && ::stat(path.c_str(), &named) == 0 &&
         opened.st_dev == named.st_dev && opened.st_ino == named.st_ino;
}

}  // namespace

FileLock::FileLock(const fs::path& path) {
  LockState state = LockState::kHeld;
  do {
    file_ = FileDescriptor(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NONBLOCK, 0666));
    if (!file_.valid()) throw_errno("open", path.string());
    state = try_lock(file_, path);
  } while (state == LockState::kHeld && !is_named(file_, path));
  switch (state) {
    case LockState::kHeld:
      break;
    case LockState::kBusy: {
      const std::string holder = read_file(path, 4096);
      throw IoError(str("[lock] ", path.string(), " is held by ",
                        holder.empty() ? "another process" : "process " + holder,
                        "; wait for it to end or use another directory"));
    }
    case LockState::kUnsupported:
      log_warning("[lock] ", path.string(),
                  " cannot be locked: this file system has no locks. Going on without; make sure "
                  "that no other process writes to ",
                  directory_of(path).string());
      break;
  }
  const std::string id = str(::getpid());
  if (::ftruncate(file_.get(), 0) != 0) throw_errno("truncate", path.string());
  write_all(file_, path, std::as_bytes(std::span(id.data(), id.size())));
}

}  // namespace eflow
