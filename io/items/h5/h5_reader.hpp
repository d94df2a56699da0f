#pragma once
// Reads chosen arrays of a foreign HDF5 file row by row. Runs in the isolated process alone: the file
// may be hostile, and HDF5 is not safe against that. Internal to io.

#include <array>
#include <cstdint>
#include <string>

#include "eflow/io/items/h5/isolated.hpp"

namespace eflow::io {

/// Paths of arrays in the file, whose first axis counts clips. Only `clip` is required.
struct H5Paths {
  std::string clip{}, labels{}, context{};
};

/// Kinds of messages: first kInfo, then for each row kLabel and kContext (if wanted) and kClip.
enum H5Message : std::uint32_t { kH5Info = 1, kH5Clip = 2, kH5Label = 3, kH5Context = 4 };

/// The content of kH5Info. The parent trusts none of it.
struct H5Info {
  struct Array {
    std::uint32_t element = 0, rank = 0;  ///< of io::Element; rank without the first axis
    std::array<std::int64_t, 8> sizes{};
  };
  std::int64_t rows = 0;
  Array clip{}, context{};  ///< rank 0: none
};

/// Checks type, layout, filters and sizes of the arrays before any is read, then sends the rows.
/// Throws CorruptData, InvalidArgument listing the file's arrays if a path is not one of them.
void send_h5(const std::string& file, const H5Paths& paths, Sender& sender);

inline constexpr std::uint64_t kMaxH5Row = 1ull << 30;  ///< bytes

}  // namespace eflow::io
