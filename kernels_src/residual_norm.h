#pragma once
// A gated residual and the modulated layer norm that follows it, in one pass: h = gate y + x, n =
// norm(h). The arithmetic is that of elementwise.h and norm.h, so results are the same bits.

#include "eflow/kernels_src/args/residual_norm.h"
#include "eflow/kernels_src/norm.h"
#include "eflow/kernels_src/tile/runs.h"

namespace EFLOW_TEXT {

using eflow::args::ResidualNorm;
using eflow::args::ResidualNormGrad;

/// See ResidualNorm. Grid: ceil(rows / rows_per_block), batches. T: stored type of x, y, h and the
/// modulation; O: of the norm.
template <class T, class O>
void residual_norm(const Block& block, const ResidualNorm& a) {
  using C = Compute<T>;
  const Norm& n = a.norm;
  const Index first = block.x * n.rows_per_block;
  const Index last = min_of(first + n.rows_per_block, n.rows);
  const T* gate = static_cast<const T*>(a.gate) + block.y * a.gate_stride;
  const T* factor = static_cast<const T*>(n.factor) + block.y * n.factor_stride;
  const T* offset = static_cast<const T*>(n.offset) + block.y * n.offset_stride;
  constexpr int kRun = kRunOf<T, O>;
  const bool aligned = is_aligned(a.x, a.y, a.h, n.y, gate, factor, offset) &&
                       is_whole<kRun>(n.width, a.x_stride, a.y_stride);
  each_row<kRun>(first, last, aligned, [&](Index r, auto team) {
    const Index row = block.y * n.rows + r;
    const T* x = static_cast<const T*>(a.x) + row * a.x_stride;
    const T* y = static_cast<const T*>(a.y) + row * a.y_stride;
    T* h = static_cast<T*>(a.h) + row * n.width;
    team.template each_value<C>(
        0, n.width, [&](auto i) { return load<C>(gate, i) * load<C>(y, i) + load<C>(x, i); },
        [&](auto i, auto v) { store(h, i, v); });
    norm_group<C, true>(team, n, static_cast<const T*>(h), static_cast<O*>(n.y) + row * n.width,
                        factor, offset, row);
  });
}

/// Gradients of the stream and of the branch that is added to it.
template <class V>
struct BranchGrads {
  V stream, branch;
};

/// Column sums of dx y over the rows of a block. aligned: all memory that is read, by runs.
template <class T>
EFLOW_FN void gate_columns(const ResidualNormGrad& a, const T* dx, const T* y, Index rows,
                           bool aligned, Compute<T>* out) {
  using C = Compute<T>;
  each_run<C, kRunOf<T>>(
      0, a.norm.width, aligned && is_aligned(out),
      [&](auto i) {
        decltype(load<C>(y, i)) sum{};
        for (Index r = 0; r < rows; ++r)
          sum = sum + load<C>(dx + r * a.norm.width, i) * load<C>(y + r * a.y_stride, i);
        return sum;
      },
      [&](auto i, auto sum) { store(out, i, sum); });
}

/// See ResidualNormGrad. Grid: ceil(rows / rows_per_block), batches.
template <class T, class O>
void residual_norm_grad(const Block& block, const ResidualNormGrad& a) {
  using C = Compute<T>;
  const NormGrad& n = a.norm;
  const Index first = block.x * n.rows_per_block;
  const Index last = min_of(first + n.rows_per_block, n.rows);
  const Index row0 = block.y * n.rows + first;
  const T* gate = static_cast<const T*>(a.gate) + block.y * a.gate_stride;
  const T* factor = static_cast<const T*>(n.factor) + block.y * n.factor_stride;
  const T* h = static_cast<const T*>(n.x) + row0 * n.x_stride;
  const O* dn = static_cast<const O*>(n.dy) + row0 * n.dy_stride;
  const T* dh = a.dh ? static_cast<const T*>(a.dh) + row0 * a.dh_stride : nullptr;
  T* dx = static_cast<T*>(n.dx) + row0 * n.width;
  T* dy = static_cast<T*>(a.dy) + row0 * n.width;
  constexpr int kRun = kRunOf<T, O>;
  const bool aligned = is_aligned(h, dn, dh, dx, dy, gate, factor) &&
                       is_whole<kRun>(n.width, n.x_stride, n.dy_stride, dh ? a.dh_stride : 0);
  each_row<kRun>(0, last - first, aligned, [&](Index r, auto team) {
    T* const row = dx + r * n.width;
    norm_grad_group<C, true>(team, n, h + r * n.x_stride, dn + r * n.dy_stride, factor, row,
                             row0 + r);
    const T* dh_row = dh ? dh + r * a.dh_stride : nullptr;
    T* const dy_row = dy + r * n.width;
    team.template each_value<C>(
        0, n.width,
        [&](auto i) {
          auto d = load<C>(row, i);
          if (dh) d = rounded<T>(d + load<C>(dh_row, i));
          return BranchGrads<decltype(d)>{d, d * load<C>(gate, i)};
        },
        [&](auto i, const auto& grads) {
          store(row, i, grads.stream);
          store(dy_row, i, grads.branch);
        });
  });
  wait_for_block();
  const Index out = (block.y * block.nx + block.x) * n.width;
  if (n.dfactor || n.doffset) {
    norm_grad_columns<C, true>(n, h, dn, last - first, row0, aligned,
                               n.dfactor ? static_cast<C*>(n.dfactor) + out : nullptr,
                               n.doffset ? static_cast<C*>(n.doffset) + out : nullptr);
  }
  if (a.dgate) {
    const T* y = static_cast<const T*>(a.y) + row0 * a.y_stride;
    gate_columns<T>(a, static_cast<const T*>(dx), y, last - first,
                    aligned && is_aligned(y) && is_whole<kRun>(a.y_stride),
                    static_cast<C*>(a.dgate) + out);
  }
}

}  // namespace EFLOW_TEXT
