#pragma once
// NumPy's .npy files, strictly: version 1 or 2, little-endian u1 i4 i8 f4 f8, C order. A header is
// bounded and fully parsed before anything is allocated or read.

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>

#include "eflow/base/atomic_file.hpp"
#include "eflow/base/dtype.hpp"
#include "eflow/base/shape.hpp"

namespace eflow::io {

/// A .npy file opened for reading. Const calls may run at once.
class NpyFile {
 public:
  /// Throws IoError; CorruptData if it is no .npy file or its size is not what the header says;
  /// InvalidArgument for a dtype, byte order, Fortran order or rank that we do not read, saying how
  /// to convert it.
  explicit NpyFile(const std::filesystem::path& path);

  [[nodiscard]] const std::filesystem::path& path() const { return path_; }
  [[nodiscard]] DType dtype() const { return dtype_; }
  [[nodiscard]] const Shape& shape() const { return shape_; }
  /// Size of the first dimension, and elements in one entry of it.
  [[nodiscard]] std::int64_t rows() const;
  [[nodiscard]] std::int64_t row_elements() const;

  /// Reads `count` rows from `first` on. bytes.size() must be count * row_elements() *
  /// size_of(dtype()).
  void read_rows(std::int64_t first, std::int64_t count, std::span<std::byte> bytes) const;

 private:
  std::filesystem::path path_;
  FileDescriptor file_;
  DType dtype_ = DType::kU8;
  Shape shape_;
  std::uint64_t data_offset_ = 0;
};

/// Writes a version 1 .npy file, atomically. dtype u8, i32, i64, f32 or f64 (NumPy has no bf16:
/// InvalidArgument).
void write_npy(const std::filesystem::path& path, DType dtype, const Shape& shape,
               std::span<const std::byte> bytes);

}  // namespace eflow::io
