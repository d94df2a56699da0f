#pragma once
// The window of GLGA: which keys a query meets in the softmax branch, the mask of a tile that is only
// partly inside, and the views that a walk over a window loads.

#include "eflow/kernels_src/glga/spec.h"
#include "eflow/kernels_src/tile/matrix.h"

namespace EFLOW_TEXT {

/// The contiguous range [low(i), high(i)) of tokens on the other side that token i meets in the
/// softmax branch. Used for queries (which keys?) and, since the window is symmetric, for keys
/// (which queries?). Both ends are non-decreasing in i. With dropped tokens (kept != 0) the ranges
/// come from the table that window_ranges.h computes; otherwise they are i +- radius, clipped to
/// the sequence.
template <class Form>
struct GlgaRange {
  const int* table;
  Index radius;
  Index tokens;  ///< tokens of the side that i indexes
  Index others;  ///< tokens of the other side

  EFLOW_FN GlgaRange(const Glga& a, Index batch, Index tokens_here, Index tokens_there)
      : table(nullptr),
        radius(Form::kRadius < 0 ? a.radius : Form::kRadius),
        tokens(tokens_here),
        others(tokens_there) {
    if constexpr (Form::kKept) table = a.ranges + batch * tokens * 2;
  }

  EFLOW_FN Index low(Index i) const {
    if constexpr (Form::kLocal == kAllKeys) return 0;
    if constexpr (Form::kKept) return table[2 * min_of(i, tokens - 1)];
    return max_of<Index>(i - radius, 0);
  }
  EFLOW_FN Index high(Index i) const {
    if constexpr (Form::kLocal == kAllKeys) return others;
    if constexpr (Form::kKept) return table[2 * min_of(i, tokens - 1) + 1];
    return min_of(i + radius + 1, others);
  }
};

/// Ranges of a tile of tokens [first, first + count): [begin, end) is the union of their ranges,
/// which the tile walks; every token meets all of [all_begin, all_end).
struct GlgaSpan {
  Index begin, end;
  Index all_begin, all_end;

  template <class Range>
  EFLOW_FN GlgaSpan(const Range& range, Index first, Index count)
      : begin(range.low(first)),
        end(range.high(first + count - 1)),
        all_begin(range.low(first + count - 1)),
        all_end(range.high(first)) {}

  /// Whether every token of the tile meets all of [at, at + count), so that no mask is needed.
  EFLOW_FN bool whole(Index at, Index count) const {
    return at >= all_begin && at + count <= all_end;
  }
};

/// The window mask: sets scores outside a row's range to kMasked. Row 0 of s is token `first`,
/// column 0 is token `at` of the other side.
template <class C, int R, int N, class Range>
EFLOW_FN void glga_mask(Acc<C, R, N>& s, const Range& range, Index first, Index at) {
  mask_range(
      s, [&](Index r) { return range.low(first + r) - at; },
      [&](Index r) { return range.high(first + r) - at; }, C(kMasked));
}

/// View of the rows of the block's head and sample, starting at row `first`. `tokens` is the row
/// count of the sequence.
template <class T>
EFLOW_FN View<T> glga_view(const GlgaRows& rows, const Block& block, Index first, Index tokens,
                           Index head) {
  T* const p = static_cast<T*>(rows.p) + block.z * rows.batch + block.y * rows.head;
  return {p + first * rows.row, rows.row, tokens - first, head};
}

/// The same view for tiles that a pipeline loads; `map` is the tensor map of these rows.
template <class T>
EFLOW_FN MappedView<T> glga_walk_view(const GlgaRows& rows, const TensorMap& map,
                                      const Block& block, Index first, Index tokens, Index head) {
  return {glga_view<T>(rows, block, first, tokens, head), &map, first, block.y, block.z};
}

/// Ring stages of the window walks. Two stages load the next tile while one is in use. Rows longer
/// than 512 bytes get one stage, because a GPU block has no shared memory for two.
template <class T, int kHead>
inline constexpr int kWalkStages = kHead* static_cast<int>(sizeof(T)) <= 512 ? 2 : 1;

/// log2(e): exponentials are computed as powers of 2.
inline constexpr double kLog2E = 1.4426950408889634;

}  // namespace EFLOW_TEXT
