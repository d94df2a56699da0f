#pragma once
// Windowed softmax of the composed attention path: applied between its two matrix products, to the
// rows of a score matrix, with its derivative. A window is a contiguous range of keys, because kept
// tokens are in ascending raster order. The fused GLGA texts use glga/window.h instead.

#include "eflow/kernels_src/args/band_softmax.h"
#include "eflow/kernels_src/positions.h"
#include "eflow/kernels_src/tile/pack.h"

namespace EFLOW_TEXT {

using eflow::args::BandSoftmax;

/// Columns [begin, end) of a row that are inside its query's window.
struct Window {
  Index begin, end;
};

/// Returns the window of a row, clipped to the columns of this score block. Positions, where given,
/// are raster positions of the kept tokens.
EFLOW_FN Window window_of(const BandSoftmax& a, Index row) {
  if (a.full) return {0, a.keys};
  const Index query = a.query0 + row % a.queries;
  Index first, last;
  if (a.positions) {
    const Index* positions = a.positions + row / (a.queries * a.heads) * a.tokens;
    first = first_at_least(positions, a.tokens, positions[query] - a.left);
    last = first_at_least(positions, a.tokens, positions[query] + a.right + 1);
  } else {
    first = query - a.left;
    last = query + a.right + 1;
  }
  return {min_of(max_of<Index>(first - a.key0, 0), a.keys),
          max_of<Index>(min_of(last - a.key0, a.keys), 0)};
}

/// Sets p[begin, end) to 0.
template <class T>
EFLOW_FN void clear(T* p, Index begin, Index end) {
  each<Compute<T>>(begin, end, [&](auto i) { store(p, i, Pack<Compute<T>>{}); });
}

/// p <- softmax over the row's window, 0 outside it. Reads nothing outside the window.
template <class T>
void band_softmax(const Block& block, const BandSoftmax& a) {
  using C = Compute<T>;
  const Index last = min_of((block.x + 1) * a.rows_per_block, a.rows);
  for (Index row = block.x * a.rows_per_block; row < last; ++row) {
    T* p = static_cast<T*>(a.p) + row * a.keys;
    const Window w = window_of(a, row);
    clear(p, 0, w.begin);
    clear(p, w.end, a.keys);
    const C top = max_each<C>(w.begin, w.end, [&](auto i) { return load<C>(p, i); });
    // Stores the unnormalised exponentials, then scales them: the row is still in the first-level
    // cache.
    const C total = sum_each<C>(w.begin, w.end, [&](auto i) {
      const Pack<C> e = exp(load<C>(p, i) - top);
      store(p, i, e);
      return e;
    });
    const C scale = C(1) / total;
    each<C>(w.begin, w.end, [&](auto i) { store(p, i, load<C>(p, i) * scale); });
  }
}

/// dp <- scale p (dp - sum(p dp)). p is 0 outside the window, so the result is 0 there as well.
template <class T>
void band_softmax_grad(const Block& block, const BandSoftmax& a) {
  using C = Compute<T>;
  const Index last = min_of((block.x + 1) * a.rows_per_block, a.rows);
  for (Index row = block.x * a.rows_per_block; row < last; ++row) {
    const T* p = static_cast<const T*>(a.p) + row * a.keys;
    T* dp = static_cast<T*>(a.dp) + row * a.keys;
    const C delta = sum_each<C>(0, a.keys, [&](auto i) { return load<C>(p, i) * load<C>(dp, i); });
    each<C>(0, a.keys,
            [&](auto i) { store(dp, i, C(a.scale) * load<C>(p, i) * (load<C>(dp, i) - delta)); });
  }
}

}  // namespace EFLOW_TEXT
