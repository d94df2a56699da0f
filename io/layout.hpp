#pragma once
// The order of a video array's axes, and the copy into [C, T, H, W]. Internal to io; infer_layout
// is in pack.hpp.

#include <array>
#include <cstdint>
#include <string>

#include "eflow/base/shape.hpp"

namespace eflow::io {

/// How a clip of one layout is walked in the order C, T, H, W.
struct ClipWalk {
  Shape shape;                           ///< [C, T, H, W]
  std::array<std::int64_t, 4> stride{};  ///< of C, T, H, W in the array's own clip, in elements
};

/// `layout` a permutation of NTHWC that starts with N, or of NTHW; `shape` the array's. Throws
/// InvalidArgument.
[[nodiscard]] ClipWalk walk_of(const std::string& layout, const Shape& shape,
                               const std::string& where);

}  // namespace eflow::io
