#pragma once
// A strict reader and a writer of .safetensors files: named arrays after a JSON header. The header is
// bounded and checked whole before anything is read: arrays cover the data without holes or
// overlaps, and each has the bytes that its dtype and shape need.

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "eflow/core/base/atomic_file.hpp"
#include "eflow/core/base/export.hpp"
#include "eflow/core/base/shape.hpp"

EFLOW_EXPORT_BEGIN

namespace eflow::io {

/// One array of a .safetensors file.
struct StoredArray {
  std::string dtype{};       ///< as in the file: "F32", "BF16", "I64", ...
  Shape shape{};             ///< row-major; rank 0: a scalar
  std::uint64_t offset = 0;  ///< in the file
  std::uint64_t bytes = 0;
};

/// Size of an element of this dtype of the format; 0 for an unknown one.
[[nodiscard]] std::size_t element_bytes(std::string_view safetensors_dtype);

/// A .safetensors file opened for reading. Const calls are thread-safe.
class SafetensorsFile {
 public:
  /// Throws IoError; CorruptData naming the array and the fault.
  explicit SafetensorsFile(const std::filesystem::path& path);

  [[nodiscard]] const std::filesystem::path& path() const { return path_; }
  /// Arrays by name.
  [[nodiscard]] const std::map<std::string, StoredArray>& arrays() const { return arrays_; }
  /// The strings of "__metadata__".
  [[nodiscard]] const std::map<std::string, std::string>& metadata() const { return metadata_; }
  /// metadata()[key], or "".
  [[nodiscard]] std::string metadata(const std::string& key) const;
  [[nodiscard]] bool contains(const std::string& name) const { return arrays_.contains(name); }
  /// The array of this name. Throws InvalidArgument listing the names there are.
  [[nodiscard]] const StoredArray& array(const std::string& name) const;

  /// Reads bytes.size() bytes of an array from byte `first` of it on. Throws InvalidArgument if they
  /// are out of range; IoError.
  void read(const StoredArray& array, std::uint64_t first, std::span<std::byte> bytes) const;
  /// Reads elements [first, first + values.size()) of an array of F16, BF16, F32 or F64 as floats.
  /// Throws InvalidArgument for another dtype.
  void read_floats(const std::string& name, std::int64_t first, std::span<float> values) const;
  /// All elements of an array of I64, I32, I16, I8, U8, U16, U32 or BOOL. Throws InvalidArgument for
  /// another dtype.
  [[nodiscard]] std::vector<std::int64_t> read_integers(const std::string& name) const;

 private:
  std::filesystem::path path_;
  FileDescriptor file_;
  std::map<std::string, StoredArray> arrays_;
  std::map<std::string, std::string> metadata_;
};

/// An array to write. `bytes` must be those of `shape` elements of `dtype`.
struct ArrayToStore {
  std::string name{};
  std::string dtype{};
  Shape shape{};
  std::span<const std::byte> bytes{};
};

/// The bytes of a .safetensors file. Equal arguments give equal bytes. Throws InvalidArgument as
/// write_safetensors() does.
[[nodiscard]] std::string encode_safetensors(
    const std::vector<ArrayToStore>& arrays,
    const std::map<std::string, std::string>& metadata = {});

/// Writes a .safetensors file atomically; the data begin at a multiple of 8 bytes. Equal arguments
/// give equal bytes. Throws InvalidArgument if sizes do not match, a dtype is unknown or a name
/// occurs twice; IoError, NoSpaceError.
void write_safetensors(const std::filesystem::path& path, const std::vector<ArrayToStore>& arrays,
                       const std::map<std::string, std::string>& metadata = {});

/// IEEE half precision to single precision; exact.
[[nodiscard]] float half_to_float(std::uint16_t half);

}  // namespace eflow::io

EFLOW_EXPORT_END
