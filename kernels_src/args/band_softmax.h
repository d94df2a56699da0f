#pragma once
// Arguments of band_softmax.h. Sizes and radii are counted in elements and raster positions.

namespace eflow::args {

/// Scores of a block of queries against keys [key0, key0 + keys): rows [batch, heads, queries,
/// keys], row-major.
struct BandSoftmax {
  void* p;   ///< scores; replaced by the softmax over each row's window, 0 outside it
  void* dp;  ///< gradient only: d loss / d p; replaced by d loss / d (scaled scores)
  /// [batch, tokens] raster positions, ascending; null: 0 .. tokens - 1
  const long long* positions;
  double scale;  ///< gradient only: factor on the result
  long long heads, queries, keys;
  long long query0, key0;  ///< token of the first row and of the first column
  long long tokens;        ///< tokens of a sample; used if positions are given
  long long left, right;   ///< window radii in raster positions
  int full;                ///< 1: every key is in the window
  int padding;
  long long rows, rows_per_block;
};

}  // namespace eflow::args
