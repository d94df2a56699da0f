#pragma once
// The axis order of a video array, as strides in the order C, T, H, W. Internal to io;
// infer_layout() is declared in pack.hpp.

#include <array>
#include <cstdint>
#include <string>

#include "eflow/core/base/shape.hpp"

namespace eflow::io {

/// How to traverse a clip of some layout in the order C, T, H, W.
struct ClipWalk {
  Shape shape{};                         ///< [C, T, H, W]
  std::array<std::int64_t, 4> stride{};  ///< of C, T, H, W in the source clip, in elements
};

/// Returns the traversal for an array of shape `shape`. `layout` is a permutation of NTHWC, NTHW
/// (C = 1) or NHWC (T = 1) that starts with N. Throws InvalidArgument if it is not, or does not match
/// the shape's rank.
[[nodiscard]] ClipWalk walk_of(const std::string& layout, const Shape& shape,
                               const std::string& where);

}  // namespace eflow::io
