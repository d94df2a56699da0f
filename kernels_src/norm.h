#pragma once
// Layer norm, RMS norm (whole rows or groups) and AdaLN modulation: forward, and backward with the
// sums over rows in one pass.
//   xhat = (x - mean) rstd,  y = xhat f + offset,  f = base + factor
//   dx = rstd (g - mean(g) - xhat mean(g xhat)),  g = dy f
//   dfactor = sum over rows dy xhat,  doffset = sum over rows dy
// T is the stored type of x and dx, O of y and dy, F of factor and offset; sums use the widest of
// them. A block takes several rows of one batch. They fit the second-level cache, so the column
// sums read them from there.

#include "eflow/kernels_src/args/norm.h"
#include "eflow/kernels_src/tile/pack.h"

namespace EFLOW_TEXT {

using eflow::args::Norm;
using eflow::args::NormGrad;

/// One group of one row; stores its statistics at index `at`.
template <class C, bool kCentred, class T, class O, class F>
EFLOW_FN void norm_group(Team team, const Norm& a, const T* x, O* y, const F* factor,
                         const F* offset, Index at) {
  const C scale = C(1) / C(a.width), base = C(a.base);
  C mean = 0;
  if constexpr (kCentred) {
    mean = scale * team.sum<C>(0, a.width, [&](auto i) { return load<C>(x, i); });
  }
  const C variance = scale * team.sum<C>(0, a.width, [&](auto i) {
    const Pack<C> d = load<C>(x, i) - mean;
    return d * d;
  });
  const C rstd = C(1) / sqrt(variance + C(a.eps));
  if (a.rstd) static_cast<C*>(a.rstd)[at] = rstd;
  if constexpr (kCentred) {
    if (a.mean) static_cast<C*>(a.mean)[at] = mean;
  }
  const auto xhat = [&](auto i) { return (load<C>(x, i) - mean) * rstd; };
  if (factor && offset) {
    team.each<C>(0, a.width, [&](auto i) {
      store(y, i, xhat(i) * (load<C>(factor, i) + base) + load<C>(offset, i));
    });
  } else if (factor) {
    team.each<C>(0, a.width, [&](auto i) { store(y, i, xhat(i) * (load<C>(factor, i) + base)); });
  } else if (offset) {
    team.each<C>(0, a.width, [&](auto i) { store(y, i, xhat(i) * base + load<C>(offset, i)); });
  } else {
    team.each<C>(0, a.width, [&](auto i) { store(y, i, xhat(i) * base); });
  }
}

/// See Norm. Grid: ceil(rows / rows_per_block), batches.
template <class T, class O, class F, bool kCentred>
void norm(const Block& block, const Norm& a) {
  using C = Compute<T>;
  const Index first = block.x * a.rows_per_block;
  const Index last = min_of(first + a.rows_per_block, a.rows);
  const F* factor = static_cast<const F*>(a.factor) + (a.factor ? block.y * a.factor_stride : 0);
  const F* offset = static_cast<const F*>(a.offset) + (a.offset ? block.y * a.offset_stride : 0);
  each_row(first, last, [&](Index r, Team team) {
    const Index row = block.y * a.rows + r;
    const T* x = static_cast<const T*>(a.x) + row * a.x_stride;
    O* y = static_cast<O*>(a.y) + row * a.groups * a.width;
    for (Index g = 0; g < a.groups; ++g) {
      const Index part = g * a.width;
      norm_group<C, kCentred>(team, a, x + part, y + part, factor ? factor + part : nullptr,
                              offset ? offset + part : nullptr, row * a.groups + g);
    }
  });
}

/// dx of one group of one row. at: index of the group's statistics.
template <class C, bool kCentred, class T, class O, class F>
EFLOW_FN void norm_grad_group(Team team, const NormGrad& a, const T* x, const O* dy,
                              const F* factor, T* dx, Index at) {
  const C scale = C(1) / C(a.width), base = C(a.base);
  const C rstd = static_cast<const C*>(a.rstd)[at];
  const C mean = kCentred ? static_cast<const C*>(a.mean)[at] : C(0);
  const auto xhat = [&](auto i) { return (load<C>(x, i) - mean) * rstd; };
  const auto run = [&](auto g) __attribute__((always_inline)) {
    C mean_g = 0;
    if constexpr (kCentred) mean_g = scale * team.sum<C>(0, a.width, g);
    const C mean_gx = scale * team.sum<C>(0, a.width, [&](auto i) { return g(i) * xhat(i); });
    team.each<C>(0, a.width,
                 [&](auto i) { store(dx, i, rstd * (g(i) - mean_g - xhat(i) * mean_gx)); });
  };
  if (factor)
    run([&](auto i) { return load<C>(dy, i) * (load<C>(factor, i) + base); });
  else
    run([&](auto i) { return load<C>(dy, i) * base; });
}

/// Column sums of one group over the rows of a block. at: index of the first row's statistics.
template <class C, bool kCentred, class T, class O>
EFLOW_FN void norm_grad_columns(const NormGrad& a, const T* x, const O* dy, Index rows, Index at,
                                C* dfactor, C* doffset) {
  const C* rstd = static_cast<const C*>(a.rstd) + at;
  const C* mean = kCentred ? static_cast<const C*>(a.mean) + at : nullptr;
  each<C>(0, a.width, [&](auto i) {
    Pack<C> product{}, plain{};
    for (Index r = 0; r < rows; ++r) {
      const Pack<C> d = load<C>(dy + r * a.dy_stride, i);
      Pack<C> centred = load<C>(x + r * a.x_stride, i);
      if constexpr (kCentred) centred -= mean[r * a.groups];
      product += d * (centred * rstd[r * a.groups]);
      plain += d;
    }
    if (dfactor) store(dfactor, i, product);
    if (doffset) store(doffset, i, plain);
  });
}

/// See NormGrad. Grid: ceil(rows / rows_per_block), batches.
template <class T, class O, class F, bool kCentred>
void norm_grad(const Block& block, const NormGrad& a) {
  using C = Compute<T>;
  const Index first = block.x * a.rows_per_block;
  const Index last = min_of(first + a.rows_per_block, a.rows);
  const F* factor = static_cast<const F*>(a.factor) + (a.factor ? block.y * a.factor_stride : 0);
  const Index row0 = block.y * a.rows + first;
  const T* x = static_cast<const T*>(a.x) + row0 * a.x_stride;
  const O* dy = static_cast<const O*>(a.dy) + row0 * a.dy_stride;
  const Index columns = a.groups * a.width;
  if (a.dx) {
    T* dx = static_cast<T*>(a.dx) + row0 * columns;
    each_row(0, last - first, [&](Index r, Team team) {
      for (Index g = 0; g < a.groups; ++g) {
        const Index part = g * a.width;
        norm_grad_group<C, kCentred>(team, a, x + r * a.x_stride + part,
                                     dy + r * a.dy_stride + part, factor ? factor + part : nullptr,
                                     dx + r * columns + part, (row0 + r) * a.groups + g);
      }
    });
  }
  if (!a.dfactor && !a.doffset) return;
  const Index out = (block.y * block.nx + block.x) * columns;
  for (Index g = 0; g < a.groups; ++g) {
    const Index part = g * a.width;
    norm_grad_columns<C, kCentred>(a, x + part, dy + part, last - first, row0 * a.groups + g,
                                   a.dfactor ? static_cast<C*>(a.dfactor) + out + part : nullptr,
                                   a.doffset ? static_cast<C*>(a.doffset) + out + part : nullptr);
  }
}

}  // namespace EFLOW_TEXT
