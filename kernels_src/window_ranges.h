#pragma once
// The range of kept tokens inside each kept token's window, when tokens are dropped. The radius
// counts positions of the full raster, so dropping tokens shrinks a window [arXiv 2603.27086, Sec.
// 4.1 and Eq. 6]. Kept tokens are in ascending raster order, so each window is one contiguous
// range. The window is symmetric, so the same range also holds the tokens that see this one.

#include "eflow/kernels_src/args/glga.h"
#include "eflow/kernels_src/positions.h"
#include "eflow/kernels_src/tile/pack.h"

namespace EFLOW_TEXT {

using eflow::args::WindowRanges;

inline constexpr int kRangesPerBlock = 256;

/// Grid: ceil(tokens / kRangesPerBlock), samples. The result does not depend on heads or layers.
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
