#pragma once
// Copies between tensors with different orders of dimensions, such as videos and patches. A block reads
// a tile in the order of x and writes it in the order of y, so that both are contiguous accesses.

#include "eflow/kernels_src/args/permute.h"
#include "eflow/kernels_src/divisor.h"
#include "eflow/kernels_src/tile/staged.h"

namespace EFLOW_TEXT {

using eflow::args::Permute;

/// Where an index lies in x, in y and in the tile.
struct PermutedPlace {
  Index x = 0, y = 0, tile = 0;

  /// index: counts the dimensions `dims`, the last one fastest.
  template <int kMost>
  EFLOW_FN PermutedPlace(const Permute::Dim (&dims)[kMost], int rank, Index index) {
    // A GPU reads arguments at constant offsets much faster than at others.
    EFLOW_UNROLL
    for (int d = kMost - 1; d >= 0; --d) {
      if (d >= rank) continue;
      const Division parts = d == 0 ? Division{0, index} : divide(index, dims[d].size);
      x += parts.remainder * dims[d].x;
      y += parts.remainder * dims[d].y;
      tile += parts.remainder * dims[d].tile;
      index = parts.quotient;
    }
  }
};

/// See Permute. Grid: tiles.
template <class T>
void permute(const Block& block, const Permute& a) {
  const PermutedPlace first(a.tiles, a.tiles_rank, block.x);
  const T* x = static_cast<const T*>(a.x) + first.x;
  T* y = static_cast<T*>(a.y) + first.y;
  staged<T, eflow::args::kMostTileElements>(
      a.tile_count,
      [&](Index i) {
        const PermutedPlace from(a.by_x, a.tile_rank, i);
        return Staged<T>{from.tile, x[from.x]};
      },
      [&](Index i, T value) { y[PermutedPlace(a.by_y, a.tile_rank, i).y] = value; });
}

}  // namespace EFLOW_TEXT
