#pragma once
// Which kept tokens a kept token sees: those within a radius in places of the full raster. Kept tokens stand in ascending
// order, so they are a range, and the ranges of both radii being equal, the tokens that see one are the same range.

#include "args/glga.h"
#include "positions.h"
#include "tile/pack.h"

namespace EFLOW_TEXT {

using eflow::args::WindowRanges;

inline constexpr int kRangesPerBlock = 256;

inline void window_ranges(const Block& block, const WindowRanges& a) {
  const Index* const positions = a.positions + block.y * a.tokens;
  int* const ranges = a.ranges + block.y * a.tokens * 2;
  each_lane<kRangesPerBlock>([&](int l) {
    const Index i = block.x * kRangesPerBlock + l;
    if (i >= a.tokens) return;
    const Index at = positions[i];
    ranges[2 * i] = static_cast<int>(first_at_least(positions, a.tokens, at - a.radius));
    ranges[2 * i + 1] = static_cast<int>(first_at_least(positions, a.tokens, at + a.radius + 1));
  });
}

}  // namespace EFLOW_TEXT
