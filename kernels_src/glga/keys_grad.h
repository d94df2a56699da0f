#pragma once
// GLGA backward, gradients of keys and values: each block owns a tile of keys and walks the queries
// that see it. Scores are computed transposed, so the probabilities P^T are already the left
// operand of both gradient products. Each dk and dv row has one writer, so there are no atomics.
//
//   P^T = 2^(scale k q^T - lse),  dv = P^T dC + k dS_state
//   dk = tau (P^T (v dC^T - delta)) q + v dS_state^T
//
// If a block cannot hold both accumulators (wide heads on a GPU), it walks the queries twice.
// Differentiates arXiv 2603.27086, Eq. 5 and 6. Window mask and dropped tokens: see glga/window.h.

#include "eflow/kernels_src/glga/state_product.h"
#include "eflow/kernels_src/glga/window.h"

namespace EFLOW_TEXT {

/// Accumulates the window's contribution into dk, dv or both; a gradient not requested is left
/// unchanged. Its arena allocations are released on return.
template <class T, class Form, bool kForKeys, bool kForValues>
EFLOW_FN void glga_keys_walk(const Block& block, const Glga& a, Arena arena,
                             Acc<Compute<T>, Form::kKeyTile, Form::kHead>& dk,
                             Acc<Compute<T>, Form::kKeyTile, Form::kHead>& dv) {
  using C = Compute<T>;
  constexpr int M = Form::kRowTile, N = Form::kKeyTile, D = Form::kHead;
  constexpr int kStages = kWalkStages<T, D>;
  const Index key0 = block.x * N;
  const Index first = (block.z * a.heads + block.y) * a.queries;
  const C* const lse_row = static_cast<const C*>(a.lse) + first;
  const C* const delta_row = static_cast<const C*>(a.delta) + first;
  const auto k = alloc<T, N, D, Use::kLeft>(arena);
  const auto v = alloc<T, N, D, Use::kLeft>(arena);
  const auto q_ring = alloc_both_ring<kStages, T, M, D>(arena);
  const auto dc_ring = alloc_both_ring<kStages, T, M, D>(arena);
  const auto p_tile = alloc<T, N, M, Use::kLeft>(arena);
  load(k, glga_view<const T>(a.k, block, key0, a.keys, D));
  if constexpr (kForKeys) load(v, glga_view<const T>(a.v, block, key0, a.keys, D));
  const GlgaRange<Form> range(a, block.z, a.keys, a.queries);
  const GlgaSpan span(range, key0, min_of<Index>(N, a.keys - key0));
  const C scale = C(a.scale * kLog2E);
  const auto fetch = [&](Index i, int stage) {
    load(q_ring[stage], glga_walk_view<const T>(a.q, a.walk[0], block, i, a.queries, D));
    load(dc_ring[stage], glga_walk_view<const T>(a.d_local, a.walk[1], block, i, a.queries, D));
  };
  pipeline<kStages>(span.begin, span.end, M, fetch, [&](Index i, int stage) {
    ColVec<C, M> lse, delta;
    Acc<C, N, M> p, dp;
    set_ABt(p, k, q_ring[stage].right_t);
    if (!span.whole(i, M)) glga_mask(p, range, key0, i);
    load(lse, lse_row + i, 1, a.queries - i, C(-kMasked));
    exp2_sub(p, scale, lse);
    if constexpr (kForValues) mma_AB(dv, as_A(p_tile, p), dc_ring[stage].right);
    if constexpr (kForKeys) {
      set_ABt(dp, v, dc_ring[stage].right_t);
      load(delta, delta_row + i, 1, a.queries - i, C(0));
      col_apply(p, dp, delta, [](auto x, auto y, auto d) { return x * (y - d); });
      mma_AB(dk, as_A(p_tile, p), q_ring[stage].right);
    }
  });
  if constexpr (kForKeys) map(dk, [&](auto x) { return x * C(a.scale); });
}

/// Grid: ceil(keys / kKeyTile), heads, samples. Score tiles are transposed here: kKeyTile rows,
/// kRowTile columns.
template <class T, class Form>
void glga_keys_grad(const Block& block, const Glga& a) {
  using C = Compute<T>;
  constexpr int N = Form::kKeyTile, D = Form::kHead;
  constexpr bool kLocal = Form::kLocal != kNoLocal, kOneWalk = D <= kWidestPair;
  const Index key0 = block.x * N;
  const C* const d_state = static_cast<const C*>(a.d_state) + (block.z * a.heads + block.y) * D * D;
  const auto finish_values = [&](Acc<C, N, D>& dv) {
    if constexpr (Form::kGlobal)
      add_state_product(dv, Arena(block), glga_view<const T>(a.k, block, key0, a.keys, D), d_state);
    store(glga_view<T>(a.dv, block, key0, a.keys, D), dv);
  };
  const auto finish_keys = [&](Acc<C, N, D>& dk) {
    if constexpr (Form::kGlobal)
      add_transposed_state_product(dk, Arena(block),
                                   glga_view<const T>(a.v, block, key0, a.keys, D), d_state);
    store(glga_view<T>(a.dk, block, key0, a.keys, D), dk);
  };

  Acc<C, N, D> dv;
  fill(dv, C(0));
  if constexpr (kOneWalk) {
    Acc<C, N, D> dk;
    fill(dk, C(0));
    if constexpr (kLocal) glga_keys_walk<T, Form, true, true>(block, a, Arena(block), dk, dv);
    finish_values(dv);
    finish_keys(dk);
  } else {
    if constexpr (kLocal) glga_keys_walk<T, Form, false, true>(block, a, Arena(block), dv, dv);
    finish_values(dv);
    // One accumulator serves both walks.
    Acc<C, N, D>& dk = dv;
    fill(dk, C(0));
    if constexpr (kLocal) glga_keys_walk<T, Form, true, false>(block, a, Arena(block), dk, dk);
    finish_keys(dk);
  }
}

}  // namespace EFLOW_TEXT
