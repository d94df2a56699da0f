#pragma once
// Rotary position embedding [Su et al., arXiv 2104.09864]: (a, b) -> (a cos - b sin, a sin + b
// cos). The gradient is the same text with the angle negated. A block takes several rows.

#include "eflow/kernels_src/args/rope.h"
#include "eflow/kernels_src/tile/runs.h"

namespace EFLOW_TEXT {

using eflow::args::Rope;

/// T: type of x and y. S: type of the tables.
template <class T, class S>
void rope(const Block& block, const Rope& a) {
  using C = Compute<T>;
  const C sign = C(a.sign);
  const Index first = block.x * a.rows_per_block;
  const Index last = min_of(first + a.rows_per_block, a.rows);
  constexpr int kRun = kRunOf<T>;
  const bool aligned = is_aligned(a.x, a.y, a.cos, a.sin) && is_whole<kRun>(2 * a.half, a.x_stride);
  each_row<kRun>(first, last, aligned, [&](Index r, auto team) {
    const Index line = r % a.table_rows * a.half;
    const S* cos = static_cast<const S*>(a.cos) + line;
    const S* sin = static_cast<const S*>(a.sin) + line;
    const T* x = static_cast<const T*>(a.x) + r * a.x_stride;
    T* y = static_cast<T*>(a.y) + 2 * r * a.heads * a.half;
    each_part<C>(team, a.heads, a.half, [&](auto i, auto t) {
      const auto p = load_pairs<C>(x, i);
      const auto c = load<C>(cos, t), s = sign * load<C>(sin, t);
      store_pairs(y, i, Pair{p.even * c - p.odd * s, p.even * s + p.odd * c});
    });
  });
}

}  // namespace EFLOW_TEXT
