#pragma once
// What a specialisation of GLGA is, and which keys its queries see.

#include "args/glga.h"
#include "tile/matrix.h"

namespace EFLOW_TEXT {

using eflow::args::Glga;
using eflow::args::GlgaGates;
using eflow::args::GlgaRows;
using eflow::args::TensorMap;

inline constexpr int kNoLocal = 0, kWindowed = 1, kAllKeys = 2;
inline constexpr int kNoGates = 0, kRowGates = 1, kChannelGates = 2;

/// Switches of one specialisation. head: d. local: the softmax branch (kNoLocal, kWindowed, kAllKeys). global: the linear
/// branch. gates: none, one number a row of a head (a token's or a head's), or one a channel. normed: each branch through
/// its RMS norm. radius: of the window; -1: an argument. kept: 0 where every token of the raster is there, else the share
/// of kept ones in percent. The tiles are row_tile queries by key_tile keys.
template <int head, int local, int global, int gates, int normed, int radius, int kept,
          int row_tile, int key_tile>
struct GlgaForm {
  static constexpr int kHead = head;
  static constexpr int kLocal = local;
  static constexpr bool kGlobal = global != 0;
  static constexpr int kGates = gates;
  static constexpr bool kNormed = normed != 0;
  static constexpr Index kRadius = radius;
  static constexpr bool kKept = kept != 0;
  static constexpr int kRowTile = row_tile;
  static constexpr int kKeyTile = key_tile;
};

/// For tokens of one side the range of tokens of the other side that meet them in the softmax branch. It serves queries
/// (which keys?) and, the window being symmetric, keys (which queries?). Both ends ascend with the token.
template <class Form>
struct GlgaRange {
  const int* table;
  Index radius;
  Index tokens;  ///< of the side that is asked for
  Index others;  ///< of the other side

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

/// The others that any of the tokens [first, first + count) meets, and those that all of them meet.
struct GlgaSpan {
  Index begin, end;
  Index all_begin, all_end;

  template <class Range>
  EFLOW_FN GlgaSpan(const Range& range, Index first, Index count)
      : begin(range.low(first)),
        end(range.high(first + count - 1)),
        all_begin(range.low(first + count - 1)),
        all_end(range.high(first)) {}

  /// Whether all tokens meet all of [at, at + count).
  EFLOW_FN bool whole(Index at, Index count) const {
    return at >= all_begin && at + count <= all_end;
  }
};

/// Elements of x that no token of the tile may meet become kMasked. Rows of s are tokens from `first` on, columns others
/// from `at` on.
template <class C, int R, int N, class Range>
EFLOW_FN void glga_mask(Acc<C, R, N>& s, const Range& range, Index first, Index at) {
  mask_range(
      s, [&](Index r) { return range.low(first + r) - at; },
      [&](Index r) { return range.high(first + r) - at; }, C(kMasked));
}

/// Rows from `first` on of one head, as far as they exist.
template <class T>
EFLOW_FN View<T> glga_view(const GlgaRows& rows, const Block& block, Index first, Index tokens,
                           Index head) {
  T* const p = static_cast<T*>(rows.p) + block.z * rows.batch + block.y * rows.head;
  return {p + first * rows.row, rows.row, tokens - first, head};
}

/// The same as a walk loads them, a tile at a time; `map` is theirs.
template <class T>
EFLOW_FN MappedView<T> glga_walk_view(const GlgaRows& rows, const TensorMap& map, const Block& block,
                                      Index first, Index tokens, Index head) {
  return {glga_view<T>(rows, block, first, tokens, head), &map, first, block.y, block.z};
}

/// Tiles of each kind that the walks over a window keep: the next ones arrive while one is used, unless rows are so long
/// that a GPU has no memory for both.
template <class T, int kHead>
inline constexpr int kWalkStages = kHead* static_cast<int>(sizeof(T)) <= 512 ? 2 : 1;

/// log2(e), with which scores turn into exponents of 2.
inline constexpr double kLog2E = 1.4426950408889634;

}  // namespace EFLOW_TEXT
