#pragma once
// Reads the files of a checkpoint through its manifest, and checks what it reads. Internal to io.

#include <filesystem>
#include <new>
#include <span>
#include <stdexcept>
#include <string>

#include "eflow/core/base/atomic_file.hpp"
#include "eflow/io/checkpoint/checkpoint_manifest.hpp"

namespace eflow::io {

/// Says whose part of which checkpoint a file is; stored in it. Empty for a single writer.
[[nodiscard]] std::string label_of(std::int64_t step, const SavePart& part);

/// An open file of a checkpoint.
class StateReader {
 public:
  /// `path` is for messages. The file may be another one than the manifest describes.
  StateReader(FileDescriptor file, std::filesystem::path path, const StateFile& described,
              std::string label)
      : file_(std::move(file)),
        path_(std::move(path)),
        described_(described),
        label_(std::move(label)) {}

  [[nodiscard]] const std::filesystem::path& path() const { return path_; }
  /// Throws CorruptData unless the file has the size that the manifest says.
  void check_size() const;
  /// Reads a part of an array. Throws CorruptData naming file, array and both hashes if it is
  /// damaged, IoError if it cannot be read.
  void read(const ArrayEntry& array, const ArrayPart& part, std::span<std::byte> bytes) const;
  /// Reads everything: this file's parts of the arrays, and the bytes between them. Throws
  /// CorruptData, IoError, DeviceError.
  void verify(const CheckpointManifest& manifest, std::size_t number) const;

 private:
  /// What the file says of itself, if that is not what is expected, and what to do.
  [[nodiscard]] std::string remedy() const;

  FileDescriptor file_;
  std::filesystem::path path_;
  StateFile described_;
  std::string label_;
};

/// Throws DeviceError: there is not enough memory to read a file.
[[noreturn]] void out_of_memory(const std::filesystem::path& path, std::uint64_t bytes);

/// Returns body(); a lack of memory becomes an error that names the file.
template <class F>
auto naming(const std::filesystem::path& path, std::uint64_t bytes, const F& body) {
  try {
    return body();
  } catch (const std::bad_alloc&) {
    out_of_memory(path, bytes);
  } catch (const std::length_error&) {
    out_of_memory(path, bytes);
  }
}

}  // namespace eflow::io
