#pragma once
// GLGA backward, query gradients: each block owns a tile of queries, walks its keys again and
// recomputes the probabilities from the log-sum-exp [arXiv 2205.14135]. Each dq row has one writer,
// so there are no atomics.
//
//   P = 2^(scale q k^T - lse),  dS = P (dC v^T - delta),  dq = tau dS k + dA S^T
//
// Differentiates arXiv 2603.27086, Eq. 5 and 6. Window mask and dropped tokens: see glga/window.h.

#include "eflow/kernels_src/glga/state_product.h"
#include "eflow/kernels_src/glga/window.h"

namespace EFLOW_TEXT {

/// Grid: ceil(queries / kRowTile), heads, samples.
template <class T, class Form>
void glga_queries_grad(const Block& block, const Glga& a) {
  using C = Compute<T>;
  constexpr int M = Form::kRowTile, N = Form::kKeyTile, D = Form::kHead;
  const Index row0 = block.x * M, rows = a.queries - row0;
  const Index head = block.z * a.heads + block.y;
  Acc<C, M, D> dq;
  fill(dq, C(0));
  if constexpr (Form::kLocal != kNoLocal) {
    constexpr int kStages = kWalkStages<T, D>;
    Arena arena(block);
    const auto q = alloc<T, M, D, Use::kLeft>(arena);
    const auto dc = alloc<T, M, D, Use::kLeft>(arena);
    const auto k_ring = alloc_both_ring<kStages, T, N, D>(arena);
    const auto v_ring = alloc_ring<kStages, T, N, D, Use::kRightT>(arena);
    const auto ds_tile = alloc<T, M, N, Use::kLeft>(arena);
    load(q, glga_view<const T>(a.q, block, row0, a.queries, D));
    load(dc, glga_view<const T>(a.d_local, block, row0, a.queries, D));
    RowVec<C, M> lse, delta;
    load(lse, static_cast<const C*>(a.lse) + head * a.queries + row0, 1, rows, C(-kMasked));
    load(delta, static_cast<const C*>(a.delta) + head * a.queries + row0, 1, rows, C(0));
    const GlgaRange<Form> range(a, block.z, a.queries, a.keys);
    const GlgaSpan span(range, row0, min_of<Index>(M, rows));
    const C scale = C(a.scale * kLog2E);
    const auto fetch = [&](Index n, int stage) {
      load(k_ring[stage], glga_walk_view<const T>(a.k, a.walk[0], block, n, a.keys, D));
      load(v_ring[stage], glga_walk_view<const T>(a.v, a.walk[1], block, n, a.keys, D));
    };
    pipeline<kStages>(span.begin, span.end, N, fetch, [&](Index n, int stage) {
      Acc<C, M, N> p, dp;
      set_ABt(p, q, k_ring[stage].right_t);
      if (!span.whole(n, N)) glga_mask(p, range, row0, n);
      exp2_sub(p, scale, lse);
      set_ABt(dp, dc, v_ring[stage]);
      row_apply(p, dp, delta, [](auto x, auto y, auto d) { return x * (y - d); });
      mma_AB(dq, as_A(ds_tile, p), k_ring[stage].right);
    });
    map(dq, [&](auto x) { return x * C(a.scale); });
  }
  if constexpr (Form::kGlobal) {
    const View<const T> d_global = glga_view<const T>(a.d_global, block, row0, a.queries, D);
    add_transposed_state_product(dq, Arena(block), d_global,
                                 static_cast<const C*>(a.state) + head * D * D);
  }
  store(glga_view<T>(a.dq, block, row0, a.queries, D), dq);
}

}  // namespace EFLOW_TEXT
