#pragma once
// Causal attention, o = softmax(q k^T / sqrt(D)) v [arXiv 2205.14135]: a block takes M queries of one
// head and walks the keys in tiles of N, with a running maximum m and sum l of each row.
#include "eflow/kernels_src/tile/matrix.h"

namespace EFLOW_TEXT {

template <class T>
struct Attention {
  const T *q, *k, *v;  // heads x tokens x D
  T* o;
  Index tokens;
  float scale;  // log2(e) / sqrt(D)
};

/// Grid: ceil(tokens / M), heads.
template <class T, int D, int M, int N>
void attention(const Block& block, const Attention<T>& a) {
  using C = Compute<T>;
  const Index row = block.x * M, rows = a.tokens - row, at = block.y * a.tokens * D;
  Arena arena(block);
  const auto q = alloc<T, M, D, Use::kLeft>(arena);
  const auto k = alloc_ring<2, T, N, D, Use::kRightT>(arena);
  const auto v = alloc_ring<2, T, N, D, Use::kRight>(arena);
  const auto p = alloc<T, M, N, Use::kLeft>(arena);
  load(q, View<const T>{a.q + at + row * D, D, rows, D});
  Acc<C, M, D> o;
  RowVec<C, M> m, l;
  fill(o, C(0));
  fill(m, C(kLowestMax));
  fill(l, C(0));
  const C scale = C(a.scale);
  pipeline<2>(
      0, min_of<Index>(row + M, a.tokens), N,
      [&](Index n, int stage) {
        load(k[stage], View<const T>{a.k + at + n * D, D, a.tokens - n, D});
        load(v[stage], View<const T>{a.v + at + n * D, D, a.tokens - n, D});
      },
      [&](Index n, int stage) {
        Acc<C, M, N> s;
        set_ABt(s, q, k[stage]);
        if (n + N > row)  // keys after the query: row + r sees keys up to itself
          mask_range(
              s, [](Index /*r*/) { return Index{0}; },
              [&](Index r) { return min_of(row + r + 1, a.tokens) - n; }, C(kMasked));
        const auto m_new = row_max(s, m);
        const auto shrink = vmap([&](auto x, auto y) { return exp2((x - y) * scale); }, m, m_new);
        const auto sums = exp2_sub(s, scale, vmap([&](auto x) { return x * scale; }, m_new));
        l = vmap([](auto x, auto r, auto y) { return x * r + y; }, l, shrink, sums);
        scale_rows(o, shrink);
        mma_AB(o, as_A(p, s), v[stage]);
        m = m_new;
      });
  scale_rows(o, vmap([](auto x) { return C(1) / x; }, l));
  store(View<T>{a.o + at + row * D, D, rows, D}, o);
}

}  // namespace EFLOW_TEXT
