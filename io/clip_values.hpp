#pragma once
// One clip on its way from the user's array to a shard: gathered into [C, T, H, W], checked, encoded. Internal to io.

#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include "eflow/io/layout.hpp"
#include "eflow/io/pack.hpp"

namespace eflow::io {

/// In double, the common ground of u8, f32 and f64 inputs; exact for all three.
using Values = std::vector<double>;

/// Copies a clip of u8, f32 or f64 in its own order of axes to `out`, in the order C, T, H, W.
void gather(DType dtype, std::span<const std::byte> clip, const ClipWalk& walk, Values& out);

/// What an input number may be.
struct ValueRange {
  double low, high;
  const char* words;
};
[[nodiscard]] ValueRange range_of(DType input, FloatRange range);

/// Throws InvalidArgument that names the first pixel outside, or not finite.
void check_values(const Values& values, const ValueRange& allowed, std::int64_t clip,
                  const Shape& shape, const std::string& where);

/// Stored elements of the values: value = stored * scale + offset, inverted and rounded to nearest.
void encode(const Values& values, DType dtype, ValueMapping mapping, std::span<std::byte> out);

}  // namespace eflow::io
