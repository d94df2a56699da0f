#pragma once
// Products of tiles on the CPU: runs the micro-kernel over all panels and row blocks of an
// accumulator.

#include "eflow/kernels_src/tile/cpu/matrix_tile.h"
#include "eflow/kernels_src/tile/cpu/matrix_unit_pack.h"

namespace EFLOW_TEXT {

/// acc (+)= sum over `steps` operands along k of a(i, k) b(k, j). Rows of a from `rows` on are 0.
template <bool kAdd = true, class E, int R, int N>
EFLOW_FN void multiply_tiles(Acc<Sum<E>, R, N>& acc, Index rows, Index steps, E* a, Index a_row,
                             Index a_k, E* b, Index b_k) {
  using Tile = Acc<Sum<E>, R, N>;
  constexpr int kRun = kRowsOf<E>, kWhole = R / kRun * kRun;
  const Panels<E> panels(N);
  for (Index panel = 0; panel < panels.count; ++panel) {
    const Index j = panels.begin(panel);
    KernelCall<E> call{steps, a, a_row, a_k, b + j, b_k, acc.v + j, Tile::kStride, kAdd};
    for (Index i = 0; i < min_of<Index>(rows, kWhole); i += kRun) {
      run_kernel<kRun>(panels.width(panel), call, rows - i);
      call.a += kRun * a_row;
      call.c += kRun * Tile::kStride;
    }
    if constexpr (R > kWhole) {
      if (rows > kWhole) run_kernel<R - kWhole>(panels.width(panel), call, rows - kWhole);
    }
  }
  if constexpr (!kAdd) {
    each<Sum<E>>(end_of_rows<E, R>(rows) * Tile::kStride, R * Tile::kStride,
                 [&](auto i) { store(acc.v, i, Pack<Sum<E>>{}); });
  }
}

template <class T, class C, int M, int N, int K>
EFLOW_FN void mma_AB(Acc<C, M, N>& acc, STile<T, M, K, Use::kLeft> a,
                     STile<T, K, N, Use::kRight> b) {
  multiply_tiles(acc, a.rows(), a.kSteps, a.p, a.kStride, 1, b.p, b.kStride);
}

template <class T, class C, int M, int N, int K>
EFLOW_FN void mma_ABt(Acc<C, M, N>& acc, STile<T, M, K, Use::kLeft> a,
                      STile<T, N, K, Use::kRightT> b) {
  multiply_tiles(acc, a.rows(), a.kSteps, a.p, a.kStride, 1, b.p, b.kStride);
}

// Overwriting forms: no pass to clear acc, none to read it.
template <class T, class C, int M, int N, int K>
EFLOW_FN void set_AB(Acc<C, M, N>& acc, STile<T, M, K, Use::kLeft> a,
                     STile<T, K, N, Use::kRight> b) {
  multiply_tiles<false>(acc, a.rows(), a.kSteps, a.p, a.kStride, 1, b.p, b.kStride);
}
template <class T, class C, int M, int N, int K>
EFLOW_FN void set_ABt(Acc<C, M, N>& acc, STile<T, M, K, Use::kLeft> a,
                      STile<T, N, K, Use::kRightT> b) {
  multiply_tiles<false>(acc, a.rows(), a.kSteps, a.p, a.kStride, 1, b.p, b.kStride);
}

/// acc (+)= A^T B, where A is stored in steps along k.
template <bool kAdd, class C, int M, int N, class TileA, class TileB>
EFLOW_FN void multiply_transposed(Acc<C, M, N>& acc, TileA a, TileB b) {
#if EFLOW_MATRIX_UNIT
  using E = typename TileA::Element;
  if constexpr (kOnUnit<E>) {
    constexpr Index kRow = (TileA::kSteps + kUnit - 1) / kUnit * kUnit;
    alignas(64) E rows[TileA::kStride * kRow];
    transpose_steps(rows, kRow, a.p, TileA::kStride, TileA::kSteps);
    multiply_tiles<kAdd>(acc, M, a.kSteps, rows, kRow, 1, b.p, b.kStride);
    return;
  }
#endif
  multiply_tiles<kAdd>(acc, M, a.kSteps, a.p, 1, a.kStride, b.p, b.kStride);
}
template <class T, class C, int M, int N, int K>
EFLOW_FN void mma_AtB(Acc<C, M, N>& acc, STile<T, K, M, Use::kRight> a,
                      STile<T, K, N, Use::kRight> b) {
  multiply_transposed<true>(acc, a, b);
}
template <class T, class C, int M, int N, int K>
EFLOW_FN void set_AtB(Acc<C, M, N>& acc, STile<T, K, M, Use::kRight> a,
                      STile<T, K, N, Use::kRight> b) {
  multiply_transposed<false>(acc, a, b);
}

}  // namespace EFLOW_TEXT
