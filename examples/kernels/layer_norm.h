#pragma once
// Layer norm, y = xhat f + o with xhat = (x - mean) rstd. Each row is read once.
#include "eflow/kernels_src/tile/row.h"

namespace EFLOW_TEXT {

template <class T>
struct LayerNorm {
  const T *x, *f, *o;
  T* y;
  Compute<T>*mean, *rstd;  // of each row, for the gradient
  Index rows, width, per_block;
};

/// Grid: ceil(rows / per_block). kMost: at least the width.
template <class T, int kMost>
void layer_norm(const Block& block, const LayerNorm<T>& a) {
  using C = Compute<T>;
  const Index first = block.x * a.per_block, last = min_of(first + a.per_block, a.rows);
  each_row(first, last, [&](Index r, Team team) {
    const T* const x = a.x + r * a.width;
    auto row = keep_row<C, kMost>(block, team, a.width, [&](auto i) { return load<C>(x, i); });
    const C mean = row.sum() / C(a.width);
    row.map([&](auto v) { return v - mean; });
    auto squares = row;
    squares.map([](auto v) { return v * v; });
    const C rstd = rsqrt(squares.sum() / C(a.width) + C(1e-5));
    a.mean[r] = mean;
    a.rstd[r] = rstd;
    row.each([&](auto i, auto v) {
      store(a.y + r * a.width, i, v * rstd * load<C>(a.f, i) + load<C>(a.o, i));
    });
  });
}

}  // namespace EFLOW_TEXT
