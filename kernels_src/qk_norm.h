#pragma once
// RMS norm and rotary position embedding of q and k in one pass over the product that holds them,
// and the gradient of that product in one pass. The arithmetic is that of norm.h and rope.h, rounding
// between them included, so results are the same bits.

#include "eflow/kernels_src/args/qk_norm.h"
#include "eflow/kernels_src/norm.h"
#include "eflow/kernels_src/tile/runs.h"

namespace EFLOW_TEXT {

using eflow::args::QkNorm;
using eflow::args::QkNormGrad;

/// See QkNorm. Grid: ceil(rows / rows_per_block), 2. T: stored type of x and y; W: of the weights;
/// S: of the tables.
template <class T, class W, class S>
void qk_norm(const Block& block, const QkNorm& a) {
  using C = Compute<T>;
  const Index width = 2 * a.half * a.heads;
  const Index first = block.x * a.rows_per_block;
  const Index last = min_of(first + a.rows_per_block, a.rows);
  const W* weight = static_cast<const W*>(a.weight[block.y]);
  const C scale = C(1) / C(width);
  constexpr int kRun = kRunOf<T>;
  const bool aligned =
      is_aligned(a.x, a.y[block.y], weight, a.cos, a.sin) && is_whole<kRun>(2 * a.half, a.x_stride);
  each_row<kRun>(first, last, aligned, [&](Index r, auto team) {
    const T* x = static_cast<const T*>(a.x) + r * a.x_stride + block.y * width;
    T* y = static_cast<T*>(a.y[block.y]) + r * width;
    const Index line = r % a.table_rows * a.half;
    const S* cos = static_cast<const S*>(a.cos) + line;
    const S* sin = static_cast<const S*>(a.sin) + line;
    const C square = scale * team.template sum<C>(0, width, [&](auto i) {
      const auto d = load<C>(x, i);
      return d * d;
    });
    const C rstd = C(1) / sqrt(square + C(a.eps));
    if (a.rstd) static_cast<C*>(a.rstd)[block.y * a.rows + r] = rstd;
    each_part<C>(team, a.heads, a.half, [&](auto i, auto t) {
      const auto p = load_pairs<C>(x, i), w = load_pairs<C>(weight, i);
      const auto even = rounded<T>(p.even * rstd * w.even);
      const auto odd = rounded<T>(p.odd * rstd * w.odd);
      const auto c = load<C>(cos, t), s = load<C>(sin, t);
      store_pairs(y, i, Pair{even * c - odd * s, even * s + odd * c});
    });
  });
}

/// Rotates the rows [first, last) of dy back, into the columns of dx from `dx` on.
template <class T, class S>
EFLOW_FN void rotate_back(const QkNormGrad& a, Index first, Index last, const T* dy, Index stride,
                          T* dx) {
  using C = Compute<T>;
  const Index width = 2 * a.half * a.heads;
  constexpr int kRun = kRunOf<T>;
  const bool aligned = is_aligned(dy, dx, a.cos, a.sin) && is_whole<kRun>(2 * a.half, stride);
  each_row<kRun>(first, last, aligned, [&](Index r, auto team) {
    const Index line = r % a.table_rows * a.half;
    const S* cos = static_cast<const S*>(a.cos) + line;
    const S* sin = static_cast<const S*>(a.sin) + line;
    each_part<C>(team, a.heads, a.half, [&](auto i, auto t) {
      const auto p = load_pairs<C>(dy + r * stride, i);
      const auto c = load<C>(cos, t), s = C(-1) * load<C>(sin, t);
      store_pairs(dx + r * 3 * width, i, Pair{p.even * c - p.odd * s, p.even * s + p.odd * c});
    });
  });
  wait_for_block();
}

/// See QkNormGrad. Grid: ceil(rows / rows_per_block), 3. The gradient before the rotation is kept in
/// dx until the norm's gradient replaces it.
template <class T, class W, class S>
void qk_norm_grad(const Block& block, const QkNormGrad& a) {
  using C = Compute<T>;
  const Index width = 2 * a.half * a.heads;
  const Index first = block.x * a.rows_per_block;
  const Index last = min_of(first + a.rows_per_block, a.rows);
  const T* dy = static_cast<const T*>(a.dy[block.y]);
  const Index stride = a.dy_stride[block.y];
  T* dx = static_cast<T*>(a.dx) + block.y * width;
  constexpr int kRun = kRunOf<T>;
  const bool aligned = is_aligned(a.x, dy, dx) && is_whole<kRun>(width, a.x_stride, stride);
  if (block.y == 2) {  // v
    each_row<kRun>(first, last, aligned, [&](Index r, auto team) {
      team.template each<C>(0, width,
                            [&](auto i) { copy(dx + r * 3 * width, dy + r * stride, i); });
    });
    return;
  }
  rotate_back<T, S>(a, first, last, dy, stride, dx);
  NormGrad n{};
  n.rstd = static_cast<const C*>(a.rstd) + block.y * a.rows;
  n.groups = 1;
  n.width = width;
  n.x_stride = a.x_stride;
  n.dy_stride = 3 * width;
  const T* x = static_cast<const T*>(a.x) + block.y * width;
  const W* weight = static_cast<const W*>(a.weight[block.y]);
  if (a.dweight) {
    C* const sums = static_cast<C*>(a.dweight) + (block.y * block.nx + block.x) * width;
    norm_grad_columns<C, false>(n, x + first * a.x_stride, dx + first * 3 * width, last - first,
                                first, aligned, sums, static_cast<C*>(nullptr));
  }
  each_row<kRun>(first, last, aligned && is_aligned(weight), [&](Index r, auto team) {
    T* const row = dx + r * 3 * width;
    norm_grad_group<C, false>(team, n, x + r * a.x_stride, static_cast<const T*>(row), weight, row,
                              r);
  });
}

}  // namespace EFLOW_TEXT
