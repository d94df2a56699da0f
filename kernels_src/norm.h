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
#include "eflow/kernels_src/tile/runs.h"

namespace EFLOW_TEXT {

using eflow::args::Norm;
using eflow::args::NormGrad;

/// One group of one row; stores its statistics at index `at`.
template <class C, bool kCentred, class Team, class T, class O, class F>
EFLOW_FN void norm_group(Team team, const Norm& a, const T* x, O* y, const F* factor,
                         const F* offset, Index at) {
  const C scale = C(1) / C(a.width), base = C(a.base);
  C mean = 0;
  if constexpr (kCentred) {
    mean = scale * team.template sum<C>(0, a.width, [&](auto i) { return load<C>(x, i); });
  }
  const C variance = scale * team.template sum<C>(0, a.width, [&](auto i) {
    const auto d = load<C>(x, i) - mean;
    return d * d;
  });
  const C rstd = C(1) / sqrt(variance + C(a.eps));
  if (a.rstd) static_cast<C*>(a.rstd)[at] = rstd;
  if constexpr (kCentred) {
    if (a.mean) static_cast<C*>(a.mean)[at] = mean;
  }
  const auto xhat = [&](auto i) { return (load<C>(x, i) - mean) * rstd; };
  const auto put = [&](auto value) __attribute__((always_inline)) {
    team.template each_value<C>(0, a.width, value, [&](auto i, auto v) { store(y, i, v); });
  };
  if (factor && offset) {
    put([&](auto i) { return xhat(i) * (load<C>(factor, i) + base) + load<C>(offset, i); });
  } else if (factor) {
    put([&](auto i) { return xhat(i) * (load<C>(factor, i) + base); });
  } else if (offset) {
    put([&](auto i) { return xhat(i) * base + load<C>(offset, i); });
  } else {
    put([&](auto i) { return xhat(i) * base; });
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
  constexpr int kRun = kRunOf<T, O>;
  const bool aligned = is_aligned(a.x, a.y, factor, offset) && is_whole<kRun>(a.width, a.x_stride);
  each_row<kRun>(first, last, aligned, [&](Index r, auto team) {
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
template <class C, bool kCentred, class Team, class T, class O, class F>
EFLOW_FN void norm_grad_group(Team team, const NormGrad& a, const T* x, const O* dy,
                              const F* factor, T* dx, Index at) {
  const C scale = C(1) / C(a.width), base = C(a.base);
  const C rstd = static_cast<const C*>(a.rstd)[at];
  const C mean = kCentred ? static_cast<const C*>(a.mean)[at] : C(0);
  const auto xhat = [&](auto i) { return (load<C>(x, i) - mean) * rstd; };
  const auto run = [&](auto g) __attribute__((always_inline)) {
    C mean_g = 0;
    if constexpr (kCentred) mean_g = scale * team.template sum<C>(0, a.width, g);
    const C mean_gx =
        scale * team.template sum<C>(0, a.width, [&](auto i) { return g(i) * xhat(i); });
    team.template each_value<C>(
        0, a.width, [&](auto i) { return rstd * (g(i) - mean_g - xhat(i) * mean_gx); },
        [&](auto i, auto v) { store(dx, i, v); });
  };
  if (factor)
    run([&](auto i) { return load<C>(dy, i) * (load<C>(factor, i) + base); });
  else
    run([&](auto i) { return load<C>(dy, i) * base; });
}

/// Two sums of one column each.
template <class V>
struct ColumnSums {
  V factor, offset;
};

/// Column sums of one group over the rows of a block. at: index of the first row's statistics.
/// aligned: all memory that is read, by runs.
template <class C, bool kCentred, class T, class O>
EFLOW_FN void norm_grad_columns(const NormGrad& a, const T* x, const O* dy, Index rows, Index at,
                                bool aligned, C* dfactor, C* doffset) {
  const C* rstd = static_cast<const C*>(a.rstd) + at;
  const C* mean = kCentred ? static_cast<const C*>(a.mean) + at : nullptr;
  each_run<C, kRunOf<T, O>>(
      0, a.width, aligned && is_aligned(dfactor, doffset),
      [&](auto i) {
        const auto product = [&](Index r, auto d) {
          auto centred = load<C>(x + r * a.x_stride, i);
          if constexpr (kCentred) centred = centred - mean[r * a.groups];
          return d * (centred * rstd[r * a.groups]);
        };
        ColumnSums<decltype(load<C>(dy, i))> sums{};
        for (Index r = 0; r < rows; ++r) {
          const auto d = load<C>(dy + r * a.dy_stride, i);
          sums.factor = sums.factor + product(r, d);
          sums.offset = sums.offset + d;
        }
        return sums;
      },
      [&](auto i, const auto& sums) {
        if (dfactor) store(dfactor, i, sums.factor);
        if (doffset) store(doffset, i, sums.offset);
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
  constexpr int kRun = kRunOf<T, O>;
  const bool aligned =
      is_aligned(a.x, a.dy, a.dx, factor) && is_whole<kRun>(a.width, a.x_stride, a.dy_stride);
  if (a.dx) {
    T* dx = static_cast<T*>(a.dx) + row0 * columns;
    each_row<kRun>(0, last - first, aligned, [&](Index r, auto team) {
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
                                   aligned,
                                   a.dfactor ? static_cast<C*>(a.dfactor) + out + part : nullptr,
                                   a.doffset ? static_cast<C*>(a.doffset) + out + part : nullptr);
  }
}

}  // namespace EFLOW_TEXT
