#pragma once
// Softmax over rows: y = exp(x - max x) / sum, dx = y (dy - sum(dy y)). A block takes several rows.

#include "eflow/kernels_src/args/softmax.h"
#include "eflow/kernels_src/tile/pack.h"

namespace EFLOW_TEXT {

using eflow::args::Softmax;
using eflow::args::SoftmaxGrad;

/// See Softmax. Grid: ceil(rows / rows_per_block).
template <class T>
void softmax(const Block& block, const Softmax& a) {
  using C = Compute<T>;
  const Index first = block.x * a.rows_per_block;
  const Index last = min_of(first + a.rows_per_block, a.rows);
  each_row(first, last, [&](Index r, Team team) {
    const T* x = static_cast<const T*>(a.x) + r * a.x_stride;
    T* y = static_cast<T*>(a.y) + r * a.width;
    const C highest = team.max<C>(0, a.width, [&](auto i) { return load<C>(x, i); });
    // Exponentials are computed twice, because the stored type may be narrower than the sum's.
    const auto power = [&](auto i) { return exp(load<C>(x, i) - highest); };
    const C scale = C(1) / team.sum<C>(0, a.width, power);
    team.each<C>(0, a.width, [&](auto i) { store(y, i, scale * power(i)); });
  });
}

/// See SoftmaxGrad. Grid: ceil(rows / rows_per_block).
template <class T>
void softmax_grad(const Block& block, const SoftmaxGrad& a) {
  using C = Compute<T>;
  const Index first = block.x * a.rows_per_block;
  const Index last = min_of(first + a.rows_per_block, a.rows);
  each_row(first, last, [&](Index r, Team team) {
    const T* y = static_cast<const T*>(a.y) + r * a.width;
    const T* dy = static_cast<const T*>(a.dy) + r * a.dy_stride;
    T* dx = static_cast<T*>(a.dx) + r * a.width;
    const C shared =
        team.sum<C>(0, a.width, [&](auto i) { return load<C>(y, i) * load<C>(dy, i); });
    team.each<C>(0, a.width,
                 [&](auto i) { store(dx, i, load<C>(y, i) * (load<C>(dy, i) - shared)); });
  });
}

}  // namespace EFLOW_TEXT
