#pragma once
// The header of a .npy file: a Python dict literal with exactly three keys, parsed strictly.
// Internal to io.

#include <string>
#include <string_view>

#include "eflow/base/dtype.hpp"
#include "eflow/base/shape.hpp"

namespace eflow::io {

struct NpyHeader {
  DType dtype = DType::kU8;
  Shape shape;
};

/// Throws CorruptData where `text` is no such dict, InvalidArgument for arrays that we do not read
/// (other dtypes, big-endian, Fortran order), saying how to convert them. `path` is for the
/// messages.
[[nodiscard]] NpyHeader parse_npy_header(std::string_view text, const std::string& path);

}  // namespace eflow::io
