#pragma once
// GLGA backward of the softmax branch in one pass over the window band, for machines with few
// blocks and large caches (CPUs). A block owns a chunk of keys. It computes each score tile once
// and derives all three gradients from it: 5 products per tile pair, compared with 7 for
// glga/queries_grad.h plus glga/keys_grad.h.
//
// The query gradients of a chunk accumulate in a partial sum owned by the block (glga/dq_partial.h), in
// ascending key order; glga/join_grad.h adds the partial sums. There are no atomics, and no
// summation order depends on threads.
//
//   P^T = 2^(scale k q^T - lse),  dS^T = P^T (v dC^T - delta)
//   dv = P^T dC + k dS_state,  dk = tau dS^T q + v dS_state^T,  part = sum over the chunk of dS k
//
// scale = tau log2(e); dC is the gradient of the softmax branch before its norm, dS_state that of
// the linear branch's state. Differentiates arXiv 2603.27086, Eq. 5 and 6.

#include "eflow/kernels_src/glga/dq_partial.h"

namespace EFLOW_TEXT {

/// Grid: ceil(keys / chunk), heads, samples. A chunk is a whole number of key tiles.
template <class T, class Form>
void glga_band_grad(const Block& block, const Glga& a) {
  using C = Compute<T>;
  constexpr int M = Form::kRowTile, N = Form::kKeyTile, D = Form::kHead;
  const Index head = block.z * a.heads + block.y;
  const GlgaPart<Form, C> part(a, block, block.x);
  const GlgaRange<Form> range(a, block.z, a.keys, a.queries);
  const C* const lse_row = static_cast<const C*>(a.lse) + head * a.queries;
  const C* const delta_row = static_cast<const C*>(a.delta) + head * a.queries;
  const C scale = C(a.scale * kLog2E);

  Arena arena(block);
  const auto k = alloc<T, N, D, Use::kLeft>(arena);
  const auto k_right = alloc<T, N, D, Use::kRight>(arena);
  const auto v = alloc<T, N, D, Use::kLeft>(arena);
  const auto q_ring = alloc_both_ring<2, T, M, D>(arena);
  const auto dc_ring = alloc_both_ring<2, T, M, D>(arena);
  const auto p_tile = alloc<T, N, M, Use::kLeft>(arena);
  const auto ds_tile = alloc<T, N, M, Use::kRight>(arena);
  const auto state = alloc_both<T, D, D>(arena);
  if constexpr (Form::kGlobal)
    load(state, View<const C>{static_cast<const C*>(a.d_state) + head * D * D, D, D, D});

  Acc<C, M, D> dq;
  fill(dq, C(0));
  for (Index i = part.base; i < part.end; i += M) store(part.rows(i), dq);
  const Index key_end = min_of((block.x + 1) * a.chunk, a.keys);
  for (Index key0 = block.x * a.chunk; key0 < key_end; key0 += N) {
    load(k, glga_view<const T>(a.k, block, key0, a.keys, D));
    load(k_right, glga_view<const T>(a.k, block, key0, a.keys, D));
    load(v, glga_view<const T>(a.v, block, key0, a.keys, D));
    const GlgaSpan span(range, key0, min_of<Index>(N, a.keys - key0));
    Acc<C, N, D> dk, dv;
    fill(dk, C(0));
    fill(dv, C(0));
    const auto fetch = [&](Index i, int stage) {
      load(q_ring[stage], glga_view<const T>(a.q, block, i, a.queries, D));
      load(dc_ring[stage], glga_view<const T>(a.d_local, block, i, a.queries, D));
    };
    pipeline<2>(span.begin, span.end, M, fetch, [&](Index i, int stage) {
      ColVec<C, M> lse, delta;
      load(lse, lse_row + i, 1, a.queries - i, C(-kMasked));
      load(delta, delta_row + i, 1, a.queries - i, C(0));
      Acc<C, N, M> p, dp;
      set_ABt(p, k, q_ring[stage].right_t);
      if (!span.whole(i, M)) glga_mask(p, range, key0, i);
      exp2_sub(p, scale, lse);
      mma_AB(dv, as_A(p_tile, p), dc_ring[stage].right);
      set_ABt(dp, v, dc_ring[stage].right_t);
      col_apply(p, dp, delta, [](auto x, auto y, auto d) { return x * (y - d); });
      mma_AB(dk, as_A(p_tile, p), q_ring[stage].right);
      load(dq, part.template rows<const C>(i));
      mma_AtB(dq, as_At(ds_tile, p), k_right);
      store(part.rows(i), dq);
    });
    map(dk, [&](auto x) { return x * C(a.scale); });
    if constexpr (Form::kGlobal) {
      mma_ABt(dk, v, state.right_t);
      mma_AB(dv, k, state.right);
    }
    store(glga_view<T>(a.dk, block, key0, a.keys, D), dk);
    store(glga_view<T>(a.dv, block, key0, a.keys, D), dv);
  }
}

}  // namespace EFLOW_TEXT
