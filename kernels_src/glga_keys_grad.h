#pragma once
// GLGA backward, gradients of keys and values: a tile of keys walks the queries that see it. Scores are made transposed,
// so that both gradients take the probabilities as they come out of the product. No atomics: each dk, dv has one writer.
//   P^T = 2^(scale k q^T - lse),  dv = P^T dC + k dS_state,  dk = tau (P^T (v dC^T - delta)) q + v dS_state^T

#include "glga_form.h"

namespace EFLOW_TEXT {

/// Grid: ceil(keys / kKeyTile), heads, samples. Here a tile has kKeyTile rows and kRowTile columns.
template <class T, class Form>
void glga_keys_grad(const Block& block, const Glga& a) {
  using C = Compute<T>;
  constexpr int M = Form::kRowTile, N = Form::kKeyTile, D = Form::kHead;
  const Index key0 = block.x * N;
  const Index head = block.z * a.heads + block.y;
  Arena arena(block);
  const auto k = alloc<T, N, D, Use::kLeft>(arena);
  const auto v = alloc<T, N, D, Use::kLeft>(arena);
  load(k, glga_view<const T>(a.k, block, key0, a.keys, D));
  load(v, glga_view<const T>(a.v, block, key0, a.keys, D));
  Acc<C, N, D> dk, dv;
  fill(dk, C(0));
  fill(dv, C(0));
  if constexpr (Form::kLocal != kNoLocal) {
    Arena loop = arena;  // what the loop takes is free behind it
    const auto q_ring = alloc_both_ring<2, T, M, D>(loop);
    const auto dc_ring = alloc_both_ring<2, T, M, D>(loop);
    const auto p_tile = alloc<T, N, M, Use::kLeft>(loop);
    const C* const lse_row = static_cast<const C*>(a.lse) + head * a.queries;
    const C* const delta_row = static_cast<const C*>(a.delta) + head * a.queries;
    const GlgaRange<Form> range(a, block.z, a.keys, a.queries);
    const GlgaSpan span(range, key0, min_of<Index>(N, a.keys - key0));
    const C scale = C(a.scale * kLog2E);
    const auto fetch = [&](Index i, int stage) {
      load(q_ring[stage], glga_view<const T>(a.q, block, i, a.queries, D));
      load(dc_ring[stage], glga_view<const T>(a.d_local, block, i, a.queries, D));
    };
    pipeline<2>(span.begin, span.end, M, fetch, [&](Index i, int stage) {
      ColVec<C, M> lse, delta;
      Acc<C, N, M> p, dp;
      set_ABt(p, k, q_ring[stage].right_t);
      if (!span.whole(i, M)) glga_mask(p, range, key0, i);
      load(lse, lse_row + i, 1, a.queries - i, C(-kMasked));
      exp2_sub(p, scale, lse);
      mma_AB(dv, as_A(p_tile, p), dc_ring[stage].right);
      set_ABt(dp, v, dc_ring[stage].right_t);
      load(delta, delta_row + i, 1, a.queries - i, C(0));
      col_apply(p, dp, delta, [](auto x, auto y, auto d) { return x * (y - d); });
      mma_AB(dk, as_A(p_tile, p), q_ring[stage].right);
    });
    map(dk, [&](auto x) { return x * C(a.scale); });
  }
  if constexpr (Form::kGlobal) {
    const auto state = alloc_both<T, D, D>(arena);
    load(state, View<const C>{static_cast<const C*>(a.d_state) + head * D * D, D, D, D});
    mma_ABt(dk, v, state.right_t);
    mma_AB(dv, k, state.right);
  }
  store(glga_view<T>(a.dk, block, key0, a.keys, D), dk);
  store(glga_view<T>(a.dv, block, key0, a.keys, D), dv);
}

}  // namespace EFLOW_TEXT
