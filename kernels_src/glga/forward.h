#pragma once
// GLGA forward for a tile of queries [arXiv 2603.27086, Eq. 5-8].
// - Eq. 6: softmax over each query's window, key tile by key tile with a running maximum
//   [arXiv 2205.14135] (glga_local).
// - Eq. 5: linear branch, q S, with S = kappa K^T V from glga/state.h.
// - Eq. 7: norm and gate of each branch (glga_finish).
// - Eq. 8: their sum.
//
// Window mask and dropped tokens: see glga/window.h.

#include "eflow/kernels_src/glga/norm_gate.h"
#include "eflow/kernels_src/glga/state_product.h"
#include "eflow/kernels_src/glga/window.h"

namespace EFLOW_TEXT {

/// Softmax branch: o = softmax over each row's range of (tau q k^T) v. Also stores o and the
/// log-sum-exp (base 2) if the arguments have room for them. Its arena allocations are released on
/// return, because the arena is passed by value.
template <class T, class Form>
EFLOW_FN void glga_local(const Block& block, const Glga& a, Arena arena,
                         Acc<Compute<T>, Form::kRowTile, Form::kHead>& o) {
  using C = Compute<T>;
  constexpr int M = Form::kRowTile, N = Form::kKeyTile, D = Form::kHead;
  constexpr int kStages = kWalkStages<T, D>;
  const auto q = alloc<T, M, D, Use::kLeft>(arena);
  const auto k_ring = alloc_ring<kStages, T, N, D, Use::kRightT>(arena);
  const auto v_ring = alloc_ring<kStages, T, N, D, Use::kRight>(arena);
  const auto p_tile = alloc<T, M, N, Use::kLeft>(arena);
  const Index row0 = block.x * M;
  load(q, glga_view<const T>(a.q, block, row0, a.queries, D));
  const GlgaRange<Form> range(a, block.z, a.queries, a.keys);
  const GlgaSpan span(range, row0, min_of<Index>(M, a.queries - row0));
  const C scale = C(a.scale * kLog2E);

  RowVec<C, M> m, l;
  fill(o, C(0));
  fill(m, C(kLowestMax));
  fill(l, C(0));
  const auto fetch = [&](Index n, int stage) {
    load(k_ring[stage], glga_walk_view<const T>(a.k, a.walk[0], block, n, a.keys, D));
    load(v_ring[stage], glga_walk_view<const T>(a.v, a.walk[1], block, n, a.keys, D));
  };
  pipeline<kStages>(span.begin, span.end, N, fetch, [&](Index n, int stage) {
    Acc<C, M, N> s;
    set_ABt(s, q, k_ring[stage]);
    if (!span.whole(n, N)) glga_mask(s, range, row0, n);
    const RowVec<C, M> m_new = row_max(s, m);
    const RowVec<C, M> rescale =
        vmap([&](auto x, auto y) { return exp2((x - y) * scale); }, m, m_new);
    const RowVec<C, M> sums = exp2_sub(s, scale, vmap([&](auto x) { return x * scale; }, m_new));
    l = vmap([](auto x, auto r, auto fresh) { return x * r + fresh; }, l, rescale, sums);
    scale_rows(o, rescale);
    mma_AB(o, as_A(p_tile, s), v_ring[stage]);
    m = m_new;
  });
  // Rows past the last query see no key, so their sum is 0. They are never stored; the 1 only
  // prevents a division by 0.
  const RowVec<C, M> total = vmap([](auto x) { return x > 0 ? x : x + C(1); }, l);
  scale_rows(o, vmap([](auto x) { return C(1) / x; }, total));
  const Index rows = a.queries - row0;
  if (a.local.p != nullptr) store(glga_view<T>(a.local, block, row0, a.queries, D), o);
  if (a.lse != nullptr) {
    C* const lse = static_cast<C*>(a.lse) + (block.z * a.heads + block.y) * a.queries + row0;
    store(lse, 1, vmap([&](auto x, auto y) { return x * scale + log(y) * C(kLog2E); }, m, total),
          rows);
  }
}

/// Grid: ceil(queries / kRowTile), heads, samples.
template <class T, class Form>
void glga_forward(const Block& block, const Glga& a) {
  using C = Compute<T>;
  constexpr int M = Form::kRowTile, D = Form::kHead;
  constexpr bool kLocal = Form::kLocal != kNoLocal, kBoth = kLocal && Form::kGlobal;
  constexpr bool kParkLocal = kBoth && D > kWidestPair;  // park branch 1 in `out`
  const Index row0 = block.x * M;
  const View<T> out = glga_view<T>(a.out, block, row0, a.queries, D);
  Acc<C, M, D> y;
  if constexpr (kLocal) {
    glga_local<T, Form>(block, a, Arena(block), y);
    glga_finish<Form>(y, GlgaBranch<T>(a, block, 1, row0, D));
    if constexpr (!kBoth || kParkLocal) store(out, y);
  }
  if constexpr (Form::kGlobal) {
    const C* const s = static_cast<const C*>(a.state) + (block.z * a.heads + block.y) * D * D;
    Acc<C, M, D> x;
    fill(x, C(0));
    add_state_product(x, Arena(block), glga_view<const T>(a.q, block, row0, a.queries, D), s);
    glga_finish<Form>(x, GlgaBranch<T>(a, block, 0, row0, D));
    const auto add = [](auto u, auto w) { return u + w; };
    if constexpr (kParkLocal) {
      map(x, View<const T>{out.p, out.row_stride, out.rows, out.columns}, add);
    } else if constexpr (kBoth) {
      map(x, y, add);
    }
    store(out, x);
  }
}

}  // namespace EFLOW_TEXT
