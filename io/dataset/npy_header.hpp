#pragma once
// A strict parser for the header of a .npy file, a Python dict literal with exactly three keys.
// Internal to io.

#include <cstddef>
#include <string>
#include <string_view>

#include "eflow/core/base/dtype.hpp"
#include "eflow/core/base/shape.hpp"

namespace eflow::io {

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
/// As parse_npy_header(), for arrays of any integer type in either byte order.
[[nodiscard]] NpyIntegerHeader parse_npy_integer_header(std::string_view text,
                                                        const std::string& path);

}  // namespace eflow::io
