#pragma once
// Durable files: what was there before stays whole until the new content is complete and on disk.
// write temporary in the same directory -> fsync -> rename -> fsync directory. Written once, here.

#include <cstddef>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace eflow {

/// A POSIX descriptor, closed on destruction.
class FileDescriptor {
 public:
  FileDescriptor() = default;
  explicit FileDescriptor(int fd) : fd_(fd) {}
  FileDescriptor(FileDescriptor&& other) noexcept;
  FileDescriptor& operator=(FileDescriptor&& other) noexcept;
  ~FileDescriptor();
  [[nodiscard]] int get() const { return fd_; }
  [[nodiscard]] bool valid() const { return fd_ >= 0; }
  /// Closes and reports what close says (a full disk may show only here). Throws IoError.
  void close(const std::string& path);

 private:
  int fd_ = -1;
};

/// Opens for reading. Throws IoError naming the path.
[[nodiscard]] FileDescriptor open_read(const std::filesystem::path& path);
/// Reads exactly bytes.size() bytes at offset. Throws CorruptData if the file ends before, IoError else.
void read_at(const FileDescriptor& file, const std::filesystem::path& path, std::uint64_t offset,
             std::span<std::byte> bytes);
/// Writes all bytes at the current position, through short writes and EINTR. Throws IoError / NoSpaceError.
void write_all(const FileDescriptor& file, const std::filesystem::path& path,
               std::span<const std::byte> bytes);
void sync_file(const FileDescriptor& file, const std::filesystem::path& path);
/// fsync of a directory, so that a rename inside it survives a power cut.
void sync_directory(const std::filesystem::path& directory);

/// Replaces `path` by `content` durably and atomically. On any error `path` is as before and the temporary is gone.
void write_file_atomically(const std::filesystem::path& path, std::span<const std::byte> content);
void write_file_atomically(const std::filesystem::path& path, std::string_view content);

/// Renames, then syncs the directory that holds `to`. Both must be on one file system.
void rename_durably(const std::filesystem::path& from, const std::filesystem::path& to);

/// The whole file. Throws IoError; InvalidArgument if it is larger than max_bytes.
[[nodiscard]] std::string read_file(const std::filesystem::path& path,
                                    std::uint64_t max_bytes = 1ull << 30);

/// Throws NoSpaceError, naming needed and free bytes, if the file system of `directory` cannot take `bytes` more.
void require_free_space(const std::filesystem::path& directory, std::uint64_t bytes);

/// An exclusive advisory lock on a file, held until destruction.
class FileLock {
 public:
  /// Takes the lock at once or throws IoError naming the holder's process id, if it wrote one.
  explicit FileLock(const std::filesystem::path& path);

 private:
  FileDescriptor file_;
};

}  // namespace eflow
