#pragma once
// Softmax over rows: y = exp(x - max x) / sum, dx = y (dy - sum(dy y)). A block takes several rows.

#include "eflow/kernels_src/args/softmax.h"
#include "eflow/kernels_src/tile/runs.h"

namespace EFLOW_TEXT {

using eflow::args::Softmax;
using eflow::args::SoftmaxGrad;

/// See Softmax. Grid: ceil(rows / rows_per_block).
template <class T>
void softmax(const Block& block, const Softmax& a) {
  using C = Compute<T>;
  const Index first = block.x * a.rows_per_block;
  const Index last = min_of(first + a.rows_per_block, a.rows);
  constexpr int kRun = kRunOf<T>;
  const bool aligned = is_aligned(a.x, a.y) && is_whole<kRun>(a.width, a.x_stride);
  each_row<kRun>(first, last, aligned, [&](Index r, auto team) {
    const T* x = static_cast<const T*>(a.x) + r * a.x_stride;
    T* y = static_cast<T*>(a.y) + r * a.width;
    const C highest = team.template max<C>(0, a.width, [&](auto i) { return load<C>(x, i); });
    // Exponentials are computed twice, because the stored type may be narrower than the sum's.
    const auto power = [&](auto i) { return exp(load<C>(x, i) - highest); };
    const C scale = C(1) / team.template sum<C>(0, a.width, power);
    team.template each_value<C>(
        0, a.width, [&](auto i) { return scale * power(i); },
        [&](auto i, auto v) { store(y, i, v); });
  });
}

/// See SoftmaxGrad. Grid: ceil(rows / rows_per_block).
template <class T>
void softmax_grad(const Block& block, const SoftmaxGrad& a) {
  using C = Compute<T>;
  const Index first = block.x * a.rows_per_block;
  const Index last = min_of(first + a.rows_per_block, a.rows);
  constexpr int kRun = kRunOf<T>;
  const bool aligned = is_aligned(a.y, a.dy, a.dx) && is_whole<kRun>(a.width, a.dy_stride);
  each_row<kRun>(first, last, aligned, [&](Index r, auto team) {
    const T* y = static_cast<const T*>(a.y) + r * a.width;
    const T* dy = static_cast<const T*>(a.dy) + r * a.dy_stride;
    T* dx = static_cast<T*>(a.dx) + r * a.width;
    const C shared =
        team.template sum<C>(0, a.width, [&](auto i) { return load<C>(y, i) * load<C>(dy, i); });
    team.template each_value<C>(
        0, a.width, [&](auto i) { return load<C>(y, i) * (load<C>(dy, i) - shared); },
        [&](auto i, auto v) { store(dx, i, v); });
  });
}

}  // namespace EFLOW_TEXT
