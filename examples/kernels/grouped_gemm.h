#pragma once
// Several products in one launch, as of a mixture of experts: rows [begin[g], begin[g + 1]) of x are
// multiplied by w[g]. A block finds its group from its number.
#include "eflow/kernels_src/tile/matrix.h"

namespace EFLOW_TEXT {

template <class T>
struct GroupedGemm {
  const T *x, *w;    // rows x k, groups x k x n
  T* y;              // rows x n
  const int* begin;  // groups + 1
  Index groups, n, k;
};

/// Grid: ceil(n / N), at least the sum over the groups of ceil(rows / M).
template <class T, int M, int N, int K>
void grouped_gemm(const Block& block, const GroupedGemm<T>& a) {
  using C = Compute<T>;
  Index group = 0, tile = block.y;
  for (; group < a.groups; ++group) {
    const Index tiles = ceil_div(a.begin[group + 1] - a.begin[group], M);
    if (tile < tiles) break;
    tile -= tiles;
  }
  if (group == a.groups) return;  // the whole block leaves
  const Index row = a.begin[group] + tile * M, rows = a.begin[group + 1] - row;
  const Index column = block.x * N, columns = a.n - column;
  const T* const of_group = a.w + group * a.k * a.n;
  Arena arena(block);
  const auto x = alloc_ring<2, T, M, K, Use::kLeft>(arena);
  const auto w = alloc_ring<2, T, K, N, Use::kRight>(arena);
  Acc<C, M, N> sums;
  fill(sums, C(0));
  pipeline<2>(
      0, a.k, K,
      [&](Index k, int stage) {
        load(x[stage], View<const T>{a.x + row * a.k + k, a.k, rows, a.k - k});
        load(w[stage], View<const T>{of_group + k * a.n + column, a.n, a.k - k, columns});
      },
      [&](Index, int stage) { mma_AB(sums, x[stage], w[stage]); });
  store(View<T>{a.y + row * a.n + column, a.n, rows, columns}, sums);
}

}  // namespace EFLOW_TEXT
