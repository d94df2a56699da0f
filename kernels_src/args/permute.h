#pragma once
// Arguments of permute.h. Strides are counted in elements.

namespace eflow::args {

inline constexpr int kMaxTileDims = 6, kMaxTileDimsOfY = 3, kMaxTilesDims = 6;

/// Copies x to y, whose dimensions have the same sizes but other strides. A block copies a tile: all
/// indices of some dimensions, among which are those along which x is contiguous and those along which y
/// is. block.x counts the tiles; the numbers of by_x and by_y are the kernel's constants.
struct Permute {
  /// A dimension that counts tiles, of which there are fewer than 2^31.
  struct Dim {
    unsigned magic, shift, size;  ///< as those of Divisor
    long long x, y;               ///< strides
  };
  /// A dimension of a tile. Offsets within a tile have 31 bits.
  struct TileDim {
    unsigned magic, shift, size;
    unsigned x, y;  ///< strides
    unsigned tile;  ///< stride within the tile, which is ordered as y
  };
  const void* x;
  void* y;
  Dim tiles[kMaxTilesDims];    ///< the dimensions that count the tiles, outermost first
  TileDim by_x[kMaxTileDims];  ///< those of a tile, by descending stride of x
  /// The same, by descending stride of y; those that y walks with one stride are one.
  TileDim by_y[kMaxTileDimsOfY];
  int tiles_rank;
  unsigned tile_count;  ///< elements of a tile
};

/// The most elements of a tile.
inline constexpr int kMostTileElements = 2048;

}  // namespace eflow::args
