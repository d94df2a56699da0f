#pragma once
// GLGA backward, gradient of the queries: a tile of queries walks its keys once more, with the probabilities made anew
// from the log-sum-exp. No atomics: each dq has one writer. [arXiv 2205.14135]
//   P = 2^(scale q k^T - lse),  dS = P (dC v^T - delta),  dq = tau dS k + dA S^T

#include "glga_form.h"

namespace EFLOW_TEXT {

/// Grid: ceil(queries / kRowTile), heads, samples.
template <class T, class Form>
void glga_queries_grad(const Block& block, const Glga& a) {
  using C = Compute<T>;
  constexpr int M = Form::kRowTile, N = Form::kKeyTile, D = Form::kHead;
  const Index row0 = block.x * M, rows = a.queries - row0;
  const Index head = block.z * a.heads + block.y;
  Arena arena(block);
  const auto left = alloc<T, M, D, Use::kLeft>(arena);
  Acc<C, M, D> dq;
  fill(dq, C(0));
  if constexpr (Form::kLocal != kNoLocal) {
    Arena loop = arena;  // what the loop takes is free behind it
    const auto q = alloc<T, M, D, Use::kLeft>(loop);
    const auto k_ring = alloc_both_ring<2, T, N, D>(loop);
    const auto v_ring = alloc_ring<2, T, N, D, Use::kRightT>(loop);
    const auto ds_tile = alloc<T, M, N, Use::kLeft>(loop);
    load(q, glga_view<const T>(a.q, block, row0, a.queries, D));
    load(left, glga_view<const T>(a.d_local, block, row0, a.queries, D));
    RowVec<C, M> lse, delta;
    load(lse, static_cast<const C*>(a.lse) + head * a.queries + row0, 1, rows, C(-kMasked));
    load(delta, static_cast<const C*>(a.delta) + head * a.queries + row0, 1, rows, C(0));
    const GlgaRange<Form> range(a, block.z, a.queries, a.keys);
    const GlgaSpan span(range, row0, min_of<Index>(M, rows));
    const C scale = C(a.scale * kLog2E);
    const auto fetch = [&](Index n, int stage) {
      load(k_ring[stage], glga_view<const T>(a.k, block, n, a.keys, D));
      load(v_ring[stage], glga_view<const T>(a.v, block, n, a.keys, D));
    };
    pipeline<2>(span.begin, span.end, N, fetch, [&](Index n, int stage) {
      Acc<C, M, N> p, dp;
      set_ABt(p, q, k_ring[stage].right_t);
      if (!span.whole(n, N)) glga_mask(p, range, row0, n);
      exp2_sub(p, scale, lse);
      set_ABt(dp, left, v_ring[stage]);
      row_apply(p, dp, delta, [](auto x, auto y, auto d) { return x * (y - d); });
      mma_AB(dq, as_A(ds_tile, p), k_ring[stage].right);
    });
    map(dq, [&](auto x) { return x * C(a.scale); });
  }
  if constexpr (Form::kGlobal) {
    const auto state = alloc<T, D, D, Use::kRightT>(arena);
    load(left, glga_view<const T>(a.d_global, block, row0, a.queries, D));
    load(state, View<const C>{static_cast<const C*>(a.state) + head * D * D, D, D, D});
    mma_ABt(dq, left, state);
  }
  store(glga_view<T>(a.dq, block, row0, a.queries, D), dq);
}

}  // namespace EFLOW_TEXT
