#pragma once
// Arguments of band_softmax.h.

namespace eflow::args {

/// Scores of some queries against keys [key0, key0 + keys): rows [batch, heads, queries, keys], row-major.
struct BandSoftmax {
  void* p;                     ///< scores; softmax over the row's window takes their place, 0 outside it
  void* dp;                    ///< gradient: d loss / d p; d loss / d (scaled scores) takes its place
  const long long* positions;  ///< [batch, tokens] places of the tokens in the raster, ascending; nullptr: 0 .. tokens-1
  double scale;                ///< gradient: factor on the result
  long long heads, queries, keys;
  long long query0, key0;      ///< tokens that the first row and the first column stand for
  long long tokens;            ///< of a sample, when positions are given
  long long left, right;       ///< window radii in raster places
  int full;                    ///< 1: every key is in the window
  int padding;
  long long rows, rows_per_block;
};

}  // namespace eflow::args
