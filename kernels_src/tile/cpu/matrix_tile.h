#pragma once
// Tiles on the CPU: operands packed into the layouts that cpu/matrix_kernel.h reads, accumulators
// as plain rows, and loads and stores between them and memory. All of them are in the running
// thread's scratch memory or on its stack; barriers do not exist.

#include "eflow/kernels_src/tile/base/checks.h"
#include "eflow/kernels_src/tile/cpu/arena.h"
#include "eflow/kernels_src/tile/cpu/matrix_pack.h"

namespace EFLOW_TEXT {

/// Role of a tile in a product: k runs along its columns (kLeft, kRightT) or down its rows
/// (kRight).
enum class Use { kLeft, kRight, kRightT };

template <class C>
EFLOW_FN constexpr Index whole_lanes(Index n) {
  return (n + kLanes<C> - 1) / kLanes<C> * kLanes<C>;
}

/// R x C stored elements packed as operands. kLeft: R rows of operands along k. kRight and kRightT:
/// steps along k, each padded to whole vectors.
template <class T, int R, int C, Use kUse>
struct STile {
  using Element = Operand<T>;
  static constexpr Index kAcross = kUse == Use::kRightT ? R : C;
  static constexpr Index kAlong = kUse == Use::kRight ? R : C;
  static constexpr Index kStride =
      whole_lanes<Sum<Element>>(kAcross) / (kUse == Use::kLeft ? kDepth<Element> : 1);
  static constexpr Index kSteps = (kAlong + kDepth<Element> - 1) / kDepth<Element>;
  static constexpr Index kCount = kStride * (kUse == Use::kLeft ? R : kSteps);
  static constexpr TileElement<T> kChecked{};
  Element* p;
  /// kLeft: how many rows were loaded; those behind them are 0 and take no part in products. Null:
  /// all.
  Index* loaded = nullptr;

  EFLOW_FN Index rows() const { return loaded != nullptr ? *loaded : R; }
};

template <class T, int R, int C, Use kUse>
EFLOW_FN STile<T, R, C, kUse> alloc(Arena& arena) {
  using Tile = STile<T, R, C, kUse>;
  Tile tile{take<typename Tile::Element>(arena, Tile::kCount, R, C)};
  if (kUse == Use::kLeft && arena.used_counts < Arena::kMostCounts) {
    tile.loaded = arena.counts + arena.used_counts++;
    *tile.loaded = R;
  }
  return tile;
}

/// The first of R rows that a product of `rows` of them does not read.
template <class E, int R>
EFLOW_FN Index end_of_rows(Index rows) {
  return min_of<Index>(R, ceil_div(rows, kRowStep<E>) * kRowStep<E>);
}

/// A ring of one tile: loads are synchronous on the CPU, so one tile serves all stages.
template <class Tile>
struct Ring {
  Tile tile;
  EFLOW_FN Tile operator[](int) const { return tile; }
};
template <int kStages, class T, int R, int C, Use kUse>
EFLOW_FN Ring<STile<T, R, C, kUse>> alloc_ring(Arena& arena) {
  return {alloc<T, R, C, kUse>(arena)};
}

template <int kStages, class L, class F>
EFLOW_FN void pipeline(Index begin, Index end, Index step, L&& load, F&& compute) {
  static_assert(kStages >= 1);
  for (Index i = begin; i < end; i += step) {
    load(i, 0);
    compute(i, 0);
  }
}

/// rows x columns elements at p. Rows are row_stride apart; a row is contiguous.
template <class T>
struct View {
  T* p;
  Index row_stride;
  Index rows, columns;
};

/// Packs a view into a tile; elements beyond the view are 0.
template <class T, int R, int C, Use kUse, class S>
EFLOW_FN void load(STile<T, R, C, kUse> tile, View<const S> view) {
  using Tile = STile<T, R, C, kUse>;
  using E = typename Tile::Element;
  const Index rows = max_of<Index>(0, min_of<Index>(view.rows, R));
  const Index columns = max_of<Index>(0, min_of<Index>(view.columns, C));
  if constexpr (kUse == Use::kLeft) {
    for (Index r = 0; r < rows; ++r) {
      pack_row(tile.p + r * Tile::kStride, view.p + r * view.row_stride, columns, Tile::kStride);
    }
    const Index end = end_of_rows<E, R>(rows) * Tile::kStride;
    for (Index i = rows * Tile::kStride; i < end; ++i) tile.p[i] = E{};
    if (tile.loaded != nullptr) *tile.loaded = rows;
  } else {
    constexpr bool kTransposed = kUse == Use::kRightT;
    const PackSource<S> source{view.p, kTransposed ? view.row_stride : 1,
                               kTransposed ? 1 : view.row_stride};
    const Index along = kTransposed ? columns : rows;
    pack_strip(tile.p, Tile::kStride, source, kTransposed ? rows : columns, along);
    for (Index i = ceil_div(along, kDepth<E>) * Tile::kStride; i < Tile::kCount; ++i)
      tile.p[i] = E{};
  }
}

/// The same for a source whose rows are not contiguous.
template <class T, int R, int C, Use kUse, class S>
EFLOW_FN void load_strided(STile<T, R, C, kUse> tile, View<const S> view, Index column_stride) {
  if (column_stride == 1) return load(tile, view);
  using Tile = STile<T, R, C, kUse>;
  using E = typename Tile::Element;
  const Index rows = max_of<Index>(0, min_of<Index>(view.rows, R));
  const Index columns = max_of<Index>(0, min_of<Index>(view.columns, C));
  for (Index i = 0; i < Tile::kCount; ++i) tile.p[i] = E{};
  if constexpr (kUse == Use::kLeft) {
    for (Index r = 0; r < rows; ++r) {
      const PackSource<S> row{view.p + r * view.row_stride, 0, column_stride};
      pack_one_by_one(tile.p + r * Tile::kStride, 1, row, 0, 1, 0, ceil_div(columns, kDepth<E>),
                      columns);
    }
    if (tile.loaded != nullptr) *tile.loaded = rows;
  } else {
    constexpr bool kTransposed = kUse == Use::kRightT;
    const PackSource<S> source{view.p, kTransposed ? view.row_stride : column_stride,
                               kTransposed ? column_stride : view.row_stride};
    pack_strip(tile.p, Tile::kStride, source, kTransposed ? rows : columns,
               kTransposed ? columns : rows);
  }
}

/// One source packed twice, as operand of A B^T and of A B.
template <class T, int R, int C>
struct BothTiles {
  STile<T, R, C, Use::kRightT> right_t;
  STile<T, R, C, Use::kRight> right;
};
template <class T, int R, int C>
EFLOW_FN BothTiles<T, R, C> alloc_both(Arena& arena) {
  return {alloc<T, R, C, Use::kRightT>(arena), alloc<T, R, C, Use::kRight>(arena)};
}
template <int kStages, class T, int R, int C>
EFLOW_FN Ring<BothTiles<T, R, C>> alloc_both_ring(Arena& arena) {
  return {alloc_both<T, R, C>(arena)};
}
template <class T, int R, int C, class S>
EFLOW_FN void load(BothTiles<T, R, C> tiles, View<const S> view) {
  load(tiles.right_t, view);
  load(tiles.right, view);
}

/// What a text may put on a thread's stack, which by default has 8 MiB. The host compiler refuses a
/// function that needs more (jit/host/compiler.cpp).
inline constexpr Index kMostSumsBytes = 2 << 20;

/// R x N sums. Columns from N to the next whole vector exist; their contents are undefined.
template <class C, int R, int N>
struct Acc {
  static constexpr Index kStride = whole_lanes<C>(N);
  static constexpr SumsFit<R * kStride* static_cast<Index>(sizeof(C)), kMostSumsBytes> kChecked{};
  alignas(64) C v[R * kStride];
};

/// Widest accumulator of which a block can hold two, in columns: unlimited here.
inline constexpr int kWidestPair = 1 << 30;

/// One number per row; contents of lanes from R on are undefined.
template <class C, int R>
struct RowVec {
  alignas(64) C v[whole_lanes<C>(R)];
  EFLOW_FN C operator[](Index r) const { return v[r]; }
};

/// One number per column; contents of lanes from N on are undefined.
template <class C, int N>
struct ColVec {
  alignas(64) C v[whole_lanes<C>(N)];
  EFLOW_FN C operator[](Index j) const { return v[j]; }
};

template <class C, int R, int N>
EFLOW_FN void fill(Acc<C, R, N>& acc, C x) {
  each<C>(0, R * Acc<C, R, N>::kStride, [&](auto i) { store(acc.v, i, splat<C>(x)); });
}
template <class C, int R>
EFLOW_FN void fill(RowVec<C, R>& vec, C x) {
  each<C>(0, whole_lanes<C>(R), [&](auto i) { store(vec.v, i, splat<C>(x)); });
}
template <class C, int N>
EFLOW_FN void fill(ColVec<C, N>& vec, C x) {
  each<C>(0, whole_lanes<C>(N), [&](auto i) { store(vec.v, i, splat<C>(x)); });
}

/// Loads sums from memory; 0 beyond the view.
template <class C, int R, int N, class T>
EFLOW_FN void load(Acc<C, R, N>& acc, View<const T> view) {
  const Index rows = max_of<Index>(0, min_of<Index>(view.rows, R));
  const Index columns = max_of<Index>(0, min_of<Index>(view.columns, N));
  for (Index r = 0; r < rows; ++r) {
    C* const row = acc.v + r * acc.kStride;
    each<C>(0, columns, [&](auto j) { store(row, j, load<C>(view.p + r * view.row_stride, j)); });
    if (columns < acc.kStride)
      each<C>(columns, acc.kStride, [&](auto j) { store(row, j, Pack<C>{}); });
  }
  each<C>(rows * acc.kStride, R * acc.kStride, [&](auto i) { store(acc.v, i, Pack<C>{}); });
}

/// Stores sums, rounded to T; writes only inside the view.
template <class T, class C, int R, int N>
EFLOW_FN void store(View<T> view, const Acc<C, R, N>& acc) {
  const Index rows = min_of<Index>(view.rows, R), columns = min_of<Index>(view.columns, N);
  for (Index r = 0; r < rows; ++r) {
    each<C>(0, columns, [&](auto j) {
      store(view.p + r * view.row_stride, j, load<C>(acc.v + r * Acc<C, R, N>::kStride, j));
    });
  }
}

/// vec[r] = p[r * stride] for r < rows, otherwise `rest`.
template <class C, int R, class T>
EFLOW_FN void load(RowVec<C, R>& vec, const T* p, Index stride, Index rows, C rest) {
  fill(vec, rest);
  for (Index r = 0; r < min_of<Index>(rows, R); ++r)
    vec.v[r] = static_cast<C>(widen(p[r * stride]));
}
template <class T, class C, int R>
EFLOW_FN void store(T* p, Index stride, const RowVec<C, R>& vec, Index rows) {
  for (Index r = 0; r < min_of<Index>(rows, R); ++r) p[r * stride] = narrow<T>(vec.v[r]);
}

/// vec[j] = p[j * stride] for j < columns, otherwise `rest`.
template <class C, int N, class T>
EFLOW_FN void load(ColVec<C, N>& vec, const T* p, Index stride, Index columns, C rest) {
  fill(vec, rest);
  each<C>(0, max_of<Index>(0, min_of<Index>(columns, N)),
          [&](auto j) { store(vec.v, j, load_strided<C>(p, j, stride)); });
}
template <class T, class C, int N>
EFLOW_FN void store(T* p, Index stride, const ColVec<C, N>& vec, Index columns) {
  each<C>(0, min_of<Index>(columns, N),
          [&](auto j) { store_strided(p, j, load<C>(vec.v, j), stride); });
}

/// The sums as operand A of mma_AB. If they already have the operand type, returns them in place.
template <class T, class C, int R, int N>
EFLOW_FN STile<T, R, N, Use::kLeft> as_A(STile<T, R, N, Use::kLeft> tile, Acc<C, R, N>& acc) {
  if constexpr (kDepth<Operand<T>> == 1) {
    return {acc.v};
  } else {
    for (Index r = 0; r < R; ++r) {
      pack_row(tile.p + r * tile.kStride, acc.v + r * acc.kStride, N, tile.kStride);
    }
    if (tile.loaded != nullptr) *tile.loaded = R;
    return tile;
  }
}

/// The sums as operand A of mma_AtB.
template <class T, class C, int R, int N>
EFLOW_FN STile<T, R, N, Use::kRight> as_At(STile<T, R, N, Use::kRight> tile, Acc<C, R, N>& acc) {
  if constexpr (kDepth<Operand<T>> == 1) {
    return {acc.v};
  } else {
    pack_strip(tile.p, tile.kStride, PackSource<C>{acc.v, 1, acc.kStride}, Index{N}, Index{R});
    return tile;
  }
}

}  // namespace EFLOW_TEXT
