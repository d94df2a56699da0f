#pragma once
// The gradient of layer_norm.h. Those of f and o are sums over all rows: each block writes its sums, and
// layer_norm_sum_parts adds them in their order, whichever block ran first.
#include "eflow/kernels_src/tile/pack.h"

namespace EFLOW_TEXT {

template <class T>
struct LayerNormGrad {
  const T *x, *dy, *f;
  const Compute<T>*mean, *rstd;
  T *dx, *df, *d_o;
  Compute<T>* parts;  // of each block: width sums for f, then width for o
  Index rows, width, per_block;
};

/// dx = rstd (g - mean(g) - xhat mean(g xhat)) with g = dy f. Grid: ceil(rows / per_block).
template <class T>
void layer_norm_grad(const Block& block, const LayerNormGrad<T>& a) {
  using C = Compute<T>;
  const Index first = block.x * a.per_block, last = min_of(first + a.per_block, a.rows);
  const auto xhat = [&](Index r, auto i) {
    return (load<C>(a.x + r * a.width, i) - a.mean[r]) * a.rstd[r];
  };
  each_row(first, last, [&](Index r, Team team) {
    const auto g = [&](auto i) { return load<C>(a.dy + r * a.width, i) * load<C>(a.f, i); };
    const C mean_g = team.template sum<C>(0, a.width, g) / C(a.width);
    const C mean_gx =
        team.template sum<C>(0, a.width, [&](auto i) { return g(i) * xhat(r, i); }) / C(a.width);
    team.template each<C>(0, a.width, [&](auto i) {
      store(a.dx + r * a.width, i, a.rstd[r] * (g(i) - mean_g - xhat(r, i) * mean_gx));
    });
  });
  C* const parts = a.parts + block.x * 2 * a.width;
  each<C>(0, a.width, [&](auto i) {
    Pack<C> of_f{}, of_o{};
    for (Index r = first; r < last; ++r) {
      const Pack<C> dy = load<C>(a.dy + r * a.width, i);
      of_f += dy * xhat(r, i);
      of_o += dy;
    }
    store(parts, i, of_f);
    store(parts + a.width, i, of_o);
  });
}

template <class T>
void layer_norm_sum_parts(const Block&, const LayerNormGrad<T>& a) {
  using C = Compute<T>;
  const Index blocks = ceil_div(a.rows, a.per_block), stride = 2 * a.width;
  const auto add = [&](const C* parts, T* to) {
    sum_columns<C>(
        0, a.width, blocks, [&](auto i, Index b) { return load<C>(parts + b * stride, i); },
        [&](auto i, auto sum) { store(to, i, sum); });
  };
  add(a.parts, a.df);
  add(a.parts + a.width, a.d_o);
}

}  // namespace EFLOW_TEXT
