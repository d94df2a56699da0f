#pragma once
// Durable file replacement: a reader, or a restart after a power cut, sees either the old content
// or the complete new content. Sequence: write a temporary in the same directory, fsync it, rename
// it, fsync the directory. Also POSIX reads and writes that retry, and an advisory file lock.

#include <cstddef>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "eflow/core/base/export.hpp"

EFLOW_EXPORT_BEGIN

namespace eflow {

/// Owns a POSIX file descriptor and closes it on destruction. Move-only.
class FileDescriptor {
 public:
  FileDescriptor() = default;
  explicit FileDescriptor(int fd) : fd_(fd) {}
  FileDescriptor(FileDescriptor&& other) noexcept;
  FileDescriptor& operator=(FileDescriptor&& other) noexcept;
  ~FileDescriptor();
  [[nodiscard]] int get() const { return fd_; }
  [[nodiscard]] bool valid() const { return fd_ >= 0; }
  /// Closes the descriptor and reports errors, because some file systems report a full disk only
  /// here. `path` is for the message. Throws IoError, NoSpaceError.
  void close(const std::string& path);

 private:
  int fd_ = -1;
};

/// Opens a regular file, or a directory to lock it, for reading. Never waits: a FIFO, socket or
/// device is refused. Throws IoError naming the path.
[[nodiscard]] FileDescriptor open_read(const std::filesystem::path& path);
/// Reads exactly bytes.size() bytes at `offset`; `path` is for messages. Thread-safe on one
/// descriptor. Throws CorruptData if the file ends too early, IoError if the read fails.
void read_at(const FileDescriptor& file, const std::filesystem::path& path, std::uint64_t offset,
             std::span<std::byte> bytes);
/// Writes all bytes at the current position, retrying short writes and EINTR. Throws IoError,
/// NoSpaceError.
void write_all(const FileDescriptor& file, const std::filesystem::path& path,
               std::span<const std::byte> bytes);
/// Flushes a file's content to disk (fsync). Throws IoError, NoSpaceError.
void sync_file(const FileDescriptor& file, const std::filesystem::path& path);
/// Flushes a directory to disk (fsync) so that a rename inside it survives a power cut. Does
/// nothing on file systems that cannot sync directories. Throws IoError.
void sync_directory(const std::filesystem::path& directory);

/// Replaces `path` with `content`, durably and atomically. If writing fails, `path` keeps its old
/// content and the temporary file is removed. Temporary files that killed processes left of earlier
/// writes of `path` are removed too. Throws IoError, NoSpaceError.
void write_file_atomically(const std::filesystem::path& path, std::span<const std::byte> content);
void write_file_atomically(const std::filesystem::path& path, std::string_view content);

/// Renames `from` to `to`, then syncs the directory that contains `to`. Both paths must be on the
/// same file system. Throws IoError.
void rename_durably(const std::filesystem::path& from, const std::filesystem::path& to);

/// Returns the content of a regular file. Throws IoError, and InvalidArgument if the file is larger
/// than max_bytes.
[[nodiscard]] std::string read_file(const std::filesystem::path& path,
                                    std::uint64_t max_bytes = 1ull << 30);

/// Throws NoSpaceError, with the free and needed MiB, if the file system of `directory` has fewer
/// than `bytes` bytes available.
void require_free_space(const std::filesystem::path& directory, std::uint64_t bytes);

/// The result of try_lock(). kUnsupported: the file system, or the kernel, has no such locks.
enum class LockState { kHeld, kBusy, kUnsupported };

/// Tries to acquire an exclusive advisory lock (flock) on an open file or directory, without
/// waiting. The kernel releases it when the last copy of the descriptor is closed, so also when the
/// process is killed. Throws IoError; `path` is for the message.
[[nodiscard]] LockState try_lock(const FileDescriptor& file, const std::filesystem::path& path);

/// Opens a file or directory whose owner holds its lock for as long as it lives, and tells whether
/// that owner is gone: the lock is free, or, where there are no locks, the last change is more than
/// a day ago. If so, the returned descriptor holds the lock; else it is not valid. Never throws.
[[nodiscard]] FileDescriptor claim_abandoned(const std::filesystem::path& path);

/// Holds an exclusive advisory lock (flock) on a file until destruction.
class FileLock {
 public:
  /// Acquires the lock without waiting, creating the file if needed, and writes this process's id
  /// into it. On a file system without locks, logs a warning and goes on without. Throws IoError,
  /// naming the holder's process id if the file contains one. The holder may remove the file: a lock on
  /// a removed file is not acquired.
  explicit FileLock(const std::filesystem::path& path);

 private:
  FileDescriptor file_;
};

}  // namespace eflow

EFLOW_EXPORT_END
