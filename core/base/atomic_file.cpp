#include "eflow/core/base/atomic_file.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <utility>

#include "eflow/core/base/error.hpp"
#include "eflow/core/base/log.hpp"

namespace eflow {
namespace fs = std::filesystem;
namespace {

/// Returns a path in the same directory as `path` that no other process or thread uses.
fs::path temporary_next_to(const fs::path& path) {
  static std::atomic<unsigned> counter{0};
  fs::path out = path;
  out += str(".tmp-", ::getpid(), "-", counter++);
  return out;
}

fs::path directory_of(const fs::path& path) {
  return path.has_parent_path() ? path.parent_path() : fs::path(".");
}

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
  FileDescriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file.valid()) throw_errno("open", path.string());
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
  // EINVAL: this file system cannot sync directories, so there is nothing to flush.
  if (::fsync(file.get()) != 0 && errno != EINVAL) throw_errno("fsync", directory.string());
}

void write_file_atomically(const fs::path& path, std::span<const std::byte> content) {
  const fs::path temporary = temporary_next_to(path);
  try {
    FileDescriptor file(::open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666));
    if (!file.valid()) throw_errno("create", temporary.string());
    write_all(file, temporary, content);
    sync_file(file, temporary);
    file.close(temporary.string());
    rename_durably(temporary, path);
  } catch (...) {
    ::unlink(temporary.c_str());
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

FileLock::FileLock(const fs::path& path)
    : file_(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666)) {
  if (!file_.valid()) throw_errno("open", path.string());
  if (::flock(file_.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK) throw_errno("lock", path.string());
    const std::string holder = read_file(path, 4096);
    throw IoError(str("[lock] ", path.string(), " is held by ",
                      holder.empty() ? "another process" : "process " + holder,
                      "; wait for it to end or use another directory"));
  }
  const std::string id = str(::getpid());
  if (::ftruncate(file_.get(), 0) != 0) throw_errno("truncate", path.string());
  write_all(file_, path, std::as_bytes(std::span(id.data(), id.size())));
}

}  // namespace eflow
