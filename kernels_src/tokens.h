#pragma once
// Rows selected by index: gathers kept tokens, scatters them back into a fill value, looks rows up
// in a table. Scattering is gathering with the inverse index, so one text serves all of them in
// both directions.

#include "eflow/kernels_src/args/tokens.h"
#include "eflow/kernels_src/tile/runs.h"

namespace EFLOW_TEXT {

using eflow::args::SelectRows;
using eflow::args::SumUnselected;

/// See SelectRows. Grid: ceil(rows / rows_per_block), batches.
template <class T>
void select_rows(const Block& block, const SelectRows& a) {
  using C = Compute<T>;
  const Index first = block.x * a.rows_per_block;
  const Index last = min_of(first + a.rows_per_block, a.rows);
  constexpr int kRun = kRunOf<T>;
  const bool aligned =
      is_aligned(a.x, a.y, a.fill) && is_whole<kRun>(a.width, a.x_batch_stride, a.x_row_stride);
  each_row<kRun>(first, last, aligned, [&](Index r, auto team) {
    const Index row = block.y * a.rows + r;
    const Index from = a.index[row];
    T* y = static_cast<T*>(a.y) + row * a.width;
    const T* x =
        from >= 0 ? static_cast<const T*>(a.x) + block.y * a.x_batch_stride + from * a.x_row_stride
                  : static_cast<const T*>(a.fill);
    if (x)
      team.template each<C>(0, a.width, [&](auto i) { copy(y, x, i); });
    else
      team.template each<C>(0, a.width, [&](auto i) { store(y, i, Pack<C>{}); });
  });
}

/// See SumUnselected: sums the rows that the gather replaced by the fill value.
template <class T>
void sum_unselected(const Block& block, const SumUnselected& a) {
  using C = Compute<T>;
  const Index first = block.x * a.rows_per_block;
  const Index last = min_of(first + a.rows_per_block, a.rows);
  C* out = static_cast<C*>(a.partial) + block.x * a.width;
  each<C>(0, a.width, [&](auto i) {
    Pack<C> total{};
    for (Index r = first; r < last; ++r) {
      if (a.index[r] < 0) total += load<C>(static_cast<const T*>(a.x) + r * a.x_stride, i);
    }
    store(out, i, total);
  });
}

}  // namespace EFLOW_TEXT
