#pragma once
// The steps that take one clip from the user's array to a shard: gather into [C, T, H, W], check,
// encode. Internal to io.

#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include "eflow/io/dataset/layout.hpp"
#include "eflow/io/dataset/pack.hpp"

namespace eflow::io {

/// The values of one clip. double represents u8, f32 and f64 inputs exactly.
using Values = std::vector<double>;

/// Copies a u8, f32 or f64 clip, whose axis order `walk` describes, to `out` in the order C, T, H,
/// W.
void gather(DType dtype, std::span<const std::byte> clip, const ClipWalk& walk, Values& out);

/// The closed range of valid input values.
struct ValueRange {
  double low = 0, high = 0;
  const char* words = "";  ///< the range as error messages print it
};
/// The range of valid inputs of dtype `input`.
[[nodiscard]] ValueRange range_of(DType input, FloatRange range);

/// The mapping from stored elements to model values. Float pixels in [0, 1] are stored unchanged and
/// mapped on reading.
[[nodiscard]] ValueMapping mapping_of(DType input, DType stored, FloatRange range);
/// The mapping from input elements to model values ([-1, 1] for pixels).
[[nodiscard]] ValueMapping input_mapping(DType input, FloatRange range);

/// Throws AmbiguousArray if floats from `lowest` to `highest` may have another meaning than pixels in
/// [-1, 1]. `where` names the input in the message.
void require_symmetric(const std::string& where, double lowest, double highest);

/// Throws InvalidArgument naming the first value that is outside the range or not finite. `where`
/// names the input in the message.
void check_values(const Values& values, const ValueRange& allowed, std::int64_t clip,
                  const Shape& shape, const std::string& where);

/// Converts values to stored elements, rounding to nearest: stored = (value - offset) / scale.
void encode(const Values& values, DType dtype, ValueMapping mapping, std::span<std::byte> out);

}  // namespace eflow::io
