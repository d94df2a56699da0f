#pragma once
// A strict parser for the header of a .npy file, a Python dict literal with exactly three keys.
// Internal to io.

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "eflow/core/base/dtype.hpp"
#include "eflow/core/base/shape.hpp"
#include "eflow/io/arrays/element.hpp"

namespace eflow::io {

/// Bytes at the start of a .npy file that tell where its header is.
inline constexpr std::size_t kNpyStart = 12;
/// Where the header's text is in the file; the data follow it.
struct NpyHeaderRange {
  std::size_t begin = 0, length = 0;
};
/// Throws CorruptData, or InvalidArgument for an unsupported version, unless a .npy file of `size`
/// bytes can start like this.
[[nodiscard]] NpyHeaderRange npy_header_range(std::span<const std::byte, kNpyStart> start,
                                              std::uint64_t size, const std::string& path);
/// Throws CorruptData unless the data, which begin at `offset`, end where the file of `size` bytes
/// does.
void check_npy_size(const Shape& shape, std::size_t element, std::uint64_t offset,
                    std::uint64_t size, const std::string& path);

struct NpyHeader {
  DType dtype = DType::kU8;
  Shape shape{};
};

/// Throws CorruptData if `text` is not such a dict; InvalidArgument, explaining how to convert the
/// array, for unsupported ones (other dtypes, big-endian, Fortran order). `path` is used in
/// messages.
[[nodiscard]] NpyHeader parse_npy_header(std::string_view text, const std::string& path);

/// An integer element type of NumPy; bool is an unsigned byte.
struct IntegerFormat {
  std::size_t bytes = 1;  ///< 1, 2, 4 or 8
  bool is_signed = false;
  bool big_endian = false;
};
struct NpyIntegerHeader {
  IntegerFormat format{};
  Shape shape{};
};
/// The number that these bytes are; unsigned values above INT64_MAX become INT64_MAX.
[[nodiscard]] std::int64_t npy_integer_at(const std::byte* bytes, IntegerFormat format);
/// As parse_npy_header(), for arrays of any integer type in either byte order.
[[nodiscard]] NpyIntegerHeader parse_npy_integer_header(std::string_view text,
                                                        const std::string& path);

struct NpyElementHeader {
  Element element = Element::kU8;
  Shape shape{};
};
/// As parse_npy_header(), for arrays of u8, f16, f32 or f64, and of bf16 if two_bytes_are_bf16: NumPy
/// has no bf16, so users store its bits as '<u2' or '|V2'.
[[nodiscard]] NpyElementHeader parse_npy_element_header(std::string_view text,
                                                        const std::string& path,
                                                        bool two_bytes_are_bf16);

}  // namespace eflow::io
