#pragma once
// y = gelu(x w + bias). A block computes a tile of M x N results and walks k in steps of K; the tiles
// of the next step are loaded while this one is multiplied.
#include "eflow/kernels_src/tile/matrix.h"

namespace EFLOW_TEXT {

template <class T>
struct Matmul {
  const T *x, *w, *bias;  // m x k, k x n, n
  T* y;                   // m x n
  Index m, n, k;
};

/// Grid: ceil(n / N), ceil(m / M).
template <class T, int M, int N, int K>
void matmul(const Block& block, const Matmul<T>& a) {
  using C = Compute<T>;
  const Index row = block.y * M, column = block.x * N;
  Arena arena(block);
  const auto x = alloc_ring<2, T, M, K, Use::kLeft>(arena);
  const auto w = alloc_ring<2, T, K, N, Use::kRight>(arena);
  Acc<C, M, N> sums;
  fill(sums, C(0));
  pipeline<2>(
      0, a.k, K,
      [&](Index k, int stage) {
        load(x[stage], View<const T>{a.x + row * a.k + k, a.k, a.m - row, a.k - k});
        load(w[stage], View<const T>{a.w + k * a.n + column, a.n, a.k - k, a.n - column});
      },
      [&](Index, int stage) { mma_AB(sums, x[stage], w[stage]); });
  ColVec<C, N> bias;
  load(bias, a.bias + column, 1, a.n - column, C(0));
  col_apply(sums, bias, [](auto s, auto b) { return gelu(s + b); });
  store(View<T>{a.y + row * a.n + column, a.n, a.m - row, a.n - column}, sums);
}

}  // namespace EFLOW_TEXT
