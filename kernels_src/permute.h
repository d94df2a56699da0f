#pragma once
// Copies between tensors with different orders of dimensions, such as videos and patches. A block reads
// a tile in the order of x and writes it in the order of y, so that both are contiguous accesses.

#include "eflow/kernels_src/args/permute.h"
#include "eflow/kernels_src/tile/reorder.h"

namespace EFLOW_TEXT {

using eflow::args::Permute;

/// Divides by dim.size (args/divisor.h). Returns the remainder and makes `index` the quotient.
template <class Dim>
EFLOW_FN u32 take_index(u32& index, const Dim& dim) {
  const u32 n = index;
  index = (n + multiply_high(n, dim.magic)) >> dim.shift;
  return n - index * dim.size;
}

/// Offsets in x, in y and in the tile.
struct TilePlace {
  u32 x, y, tile;
};

/// The place of element `index` of a tile, whose dimensions it counts, the last one fastest.
template <int kRank>
EFLOW_FN TilePlace place_in_tile(const Permute::TileDim* dims, u32 index) {
  TilePlace place{0, 0, 0};
  EFLOW_UNROLL
  for (int d = kRank - 1; d >= 0; --d) {
    const u32 at = d > 0 ? take_index(index, dims[d]) : index;
    place.x += at * dims[d].x;
    place.y += at * dims[d].y;
    place.tile += at * dims[d].tile;
  }
  return place;
}

/// See Permute. Grid: tiles.
template <class T, int kRank, int kRankOfY>
void permute(const Block& block, const Permute& a) {
  const T* x = static_cast<const T*>(a.x);
  T* y = static_cast<T*>(a.y);
  auto tile = static_cast<u32>(block.x);
  EFLOW_UNROLL
  for (int d = eflow::args::kMaxTilesDims - 1; d >= 0; --d) {
    if (d >= a.tiles_rank) continue;
    const u32 at = d > 0 ? take_index(tile, a.tiles[d]) : tile;
    x += at * a.tiles[d].x;
    y += at * a.tiles[d].y;
  }
  reordered<T, eflow::args::kMostTileElements>(
      a.tile_count,
      [&](u32 i) {
        const TilePlace from = place_in_tile<kRank>(a.by_x, i);
        return Placed<T>{from.tile, x[from.x]};
      },
      [&](u32 at, T value) { y[place_in_tile<kRankOfY>(a.by_y, at).y] = value; });
}

}  // namespace EFLOW_TEXT
