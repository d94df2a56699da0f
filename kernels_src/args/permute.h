#pragma once
// Arguments of permute.h. Strides are counted in elements.

#include "eflow/kernels_src/args/divisor.h"

namespace eflow::args {

inline constexpr int kMaxTileDims = 6, kMaxTilesDims = 8;

/// Copies x to y, whose dimensions have the same sizes but other strides. A block copies a tile: all
/// indices of some dimensions, among which are those along which x is contiguous and those along which y
/// is. block.x counts the tiles.
struct Permute {
  struct Dim {
    Divisor size;
    long long x, y;  ///< strides
    long long tile;  ///< stride within the tile, which is ordered as y
  };
  const void* x;
  void* y;
  Dim tiles[kMaxTilesDims];  ///< the dimensions that count the tiles, outermost first
  Dim by_x[kMaxTileDims];    ///< those of a tile, by descending stride of x
  Dim by_y[kMaxTileDims];    ///< the same, by descending stride of y
  int tiles_rank, tile_rank;
  long long tile_count;  ///< elements of a tile
};

/// The most elements of a tile.
inline constexpr int kMostTileElements = 2048;

}  // namespace eflow::args
