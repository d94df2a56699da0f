#pragma once
// From an item's array to the bytes of a stored clip, and the statistics of its channels. Internal to
// io.

#include <cstddef>
#include <limits>
#include <span>
#include <string>
#include <vector>

#include "eflow/io/dataset/clip_values.hpp"
#include "eflow/io/import/channel_stats.hpp"
#include "eflow/io/items/item.hpp"
#include "eflow/io/shard/manifest.hpp"

namespace eflow::io {

/// The traversal of an item's clip. The layout is the item's, else `layout`, else inferred. Throws
/// AmbiguousArray, InvalidArgument.
[[nodiscard]] ClipWalk walk_of(Item& item, const std::string& layout);

/// Adds the clip's values to the statistics. Throws InvalidArgument naming the first value that is
/// not in the range of `meaning`; latents must be finite numbers that bf16 can hold.
void measure(const Item& item, const ClipWalk& walk, FloatRange meaning, ChannelStats& stats);

/// What to do with each value: check that it is in `allowed`, then value * scale + offset, for each
/// channel (or once for all if the vectors are empty), then store it as `dtype` with `mapping`.
struct Conversion {
  ValueRange allowed{};
  std::vector<double> scale{}, offset{};
  DType dtype = DType::kF32;
  ValueMapping mapping{};
};
/// Converts a clip. Throws InvalidArgument naming the pixel that is out of range.
void convert(const Item& item, const ClipWalk& walk, const Conversion& how,
             std::span<std::byte> out);

}  // namespace eflow::io
