#pragma once
// A strict reader and writer of NumPy's .npy files: version 1 or 2, little-endian u1, i4, i8, f4
// and f8 (integers alone: any), C order. The size of a header is bounded and the header fully parsed before any data is
// read.

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <vector>

#include "eflow/core/base/atomic_file.hpp"
#include "eflow/core/base/dtype.hpp"
#include "eflow/core/base/export.hpp"
#include "eflow/core/base/shape.hpp"

EFLOW_EXPORT_BEGIN

namespace eflow::io {

/// A .npy file opened for reading. Const calls are thread-safe.
class NpyFile {
 public:
  /// Throws IoError; CorruptData if the file is not a .npy file or its size does not match its
  /// header; InvalidArgument, explaining how to convert the array, for an unsupported dtype, byte
  /// order or Fortran order.
  explicit NpyFile(const std::filesystem::path& path);

  [[nodiscard]] const std::filesystem::path& path() const { return path_; }
  [[nodiscard]] DType dtype() const { return dtype_; }
  [[nodiscard]] const Shape& shape() const { return shape_; }
  /// Size of the first dimension; 1 for a scalar.
  [[nodiscard]] std::int64_t rows() const;
  /// Elements per row: the product of the other dimensions.
  [[nodiscard]] std::int64_t row_elements() const;

  /// Reads `count` rows starting at `first`; bytes.size() must be count * row_elements() *
  /// size_of(dtype()). Throws InvalidArgument if either is out of range, IoError, CorruptData.
  void read_rows(std::int64_t first, std::int64_t count, std::span<std::byte> bytes) const;

 private:
  std::filesystem::path path_;
  FileDescriptor file_;
  DType dtype_ = DType::kU8;
  Shape shape_;
  std::uint64_t data_offset_ = 0;
};

/// The integers of a .npy file.
struct NpyIntegers {
  Shape shape{};
  std::vector<std::int64_t> values{};  ///< in C order
};
/// Reads an array of any integer type of NumPy, bool included, in either byte order. Unsigned
/// values above INT64_MAX become INT64_MAX. Throws as NpyFile's constructor does.
[[nodiscard]] NpyIntegers read_npy_integers(const std::filesystem::path& path);

/// Writes a version 1 .npy file atomically. Throws InvalidArgument for bf16, which NumPy lacks, or
/// if bytes.size() does not match dtype and shape; IoError, NoSpaceError.
void write_npy(const std::filesystem::path& path, DType dtype, const Shape& shape,
               std::span<const std::byte> bytes);

}  // namespace eflow::io

EFLOW_EXPORT_END
