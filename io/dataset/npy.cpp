#include "eflow/io/dataset/npy.hpp"

#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <string>
#include <vector>

#include "eflow/core/base/error.hpp"
#include "eflow/io/dataset/npy_header.hpp"

namespace eflow::io {
namespace {

constexpr std::string_view kMagic = "\x93NUMPY";

std::uint64_t size_of_file(const FileDescriptor& file, const std::filesystem::path& path) {
  struct stat info {};
  if (::fstat(file.get(), &info) != 0) throw_errno("stat", path.string());
  if (!S_ISREG(info.st_mode)) throw IoError(str("[npy] ", path.string(), " is not a regular file"));
  return static_cast<std::uint64_t>(info.st_size);
}

/// The text of the header, and the offset of the data that follows it.
struct HeaderText {
  std::string text;
  std::uint64_t data_offset = 0;
};

HeaderText read_header(const FileDescriptor& file, std::uint64_t size,
                       const std::filesystem::path& path) {
  std::array<std::byte, kNpyStart> start{};
  if (size >= start.size()) read_at(file, path, 0, start);
  const auto [begin, length] = npy_header_range(start, size, path.string());
  HeaderText out{std::string(length, '\0'), begin + length};
  read_at(file, path, begin, std::as_writable_bytes(std::span(out.text.data(), length)));
  return out;
}

}  // namespace

std::int64_t npy_integer_at(const std::byte* bytes, IntegerFormat format) {
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < format.bytes; ++i) {
    const std::size_t at = format.big_endian ? i : format.bytes - 1 - i;
    value = value << 8 | std::to_integer<std::uint64_t>(bytes[at]);
  }
  const std::size_t unused = 64 - 8 * format.bytes;
  if (format.is_signed) return static_cast<std::int64_t>(value << unused) >> unused;
  return static_cast<std::int64_t>(std::min<std::uint64_t>(value, INT64_MAX));
}

namespace {

const char* descriptor_of(DType dtype) {
  switch (dtype) {
    case DType::kU8:
      return "|u1";
    case DType::kI32:
      return "<i4";
    case DType::kI64:
      return "<i8";
    case DType::kF32:
      return "<f4";
    case DType::kF64:
      return "<f8";
    case DType::kBF16:
      break;
  }
  throw InvalidArgument("[npy] NumPy has no bf16; convert to f32 before writing");
}

}  // namespace

NpyFile::NpyFile(const std::filesystem::path& path) : path_(path), file_(open_read(path)) {
  const std::uint64_t size = size_of_file(file_, path_);
  const HeaderText header = read_header(file_, size, path_);
  const NpyHeader parsed = parse_npy_header(header.text, path_.string());
  dtype_ = parsed.dtype;
  shape_ = parsed.shape;
  data_offset_ = header.data_offset;
  check_npy_size(shape_, size_of(dtype_), data_offset_, size, path_.string());
}

std::int64_t NpyFile::rows() const {
  return shape_.rank() == 0 ? 1 : shape_[0];
}

std::int64_t NpyFile::row_elements() const {
  std::int64_t n = 1;
  for (int i = 1; i < shape_.rank(); ++i) n *= shape_[i];
  return n;
}

void NpyFile::read_rows(std::int64_t first, std::int64_t count, std::span<std::byte> bytes) const {
  const std::uint64_t row = static_cast<std::uint64_t>(row_elements()) * size_of(dtype_);
  if (first < 0 || count < 0 || first > rows() || count > rows() - first) {
    throw InvalidArgument(str("[npy] rows ", first, " to ", first + count,
                              " are out of range: ", path_.string(), " has ", rows()));
  }
  if (bytes.size() != row * static_cast<std::uint64_t>(count)) {
    throw InvalidArgument(str("[npy] the buffer holds ", bytes.size(), " bytes, but ", count,
                              " rows take ", row * static_cast<std::uint64_t>(count)));
  }
  read_at(file_, path_, data_offset_ + row * static_cast<std::uint64_t>(first), bytes);
}

NpyIntegers read_npy_integers(const std::filesystem::path& path) {
  const FileDescriptor file = open_read(path);
  const std::uint64_t size = size_of_file(file, path);
  const HeaderText header = read_header(file, size, path);
  const auto [format, shape] = parse_npy_integer_header(header.text, path.string());
  check_npy_size(shape, format.bytes, header.data_offset, size, path.string());
  std::vector<std::byte> bytes(size - header.data_offset);
  read_at(file, path, header.data_offset, bytes);
  NpyIntegers out{shape, {}};
  out.values.reserve(bytes.size() / format.bytes);
  for (std::size_t at = 0; at < bytes.size(); at += format.bytes)
    out.values.push_back(npy_integer_at(bytes.data() + at, format));
  return out;
}

void write_npy(const std::filesystem::path& path, DType dtype, const Shape& shape,
               std::span<const std::byte> bytes) {
  const std::string descriptor = descriptor_of(dtype);
  if (static_cast<std::uint64_t>(element_count(shape)) * size_of(dtype) != bytes.size()) {
    throw InvalidArgument(str("[npy] ", path.string(), ": ", shape, " ", dtype, " does not take ",
                              bytes.size(), " bytes"));
  }
  std::string dims;
  for (const std::int64_t d : shape) dims += str(d, ", ");
  if (shape.rank() > 1) dims.resize(dims.size() - 2);
  if (shape.rank() == 1) dims.pop_back();
  std::string header =
      "{'descr': '" + descriptor + "', 'fortran_order': False, 'shape': (" + dims + "), }";
  header.append(63 - (10 + header.size()) % 64, ' ');  // aligns the data to 64 bytes
  header += '\n';
  std::string file(kMagic);
  file +=
      {'\1', '\0', static_cast<char>(header.size() & 255), static_cast<char>(header.size() >> 8)};
  file += header;
  file.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  write_file_atomically(path, file);
}

}  // namespace eflow::io
