#pragma once
// GEMM on a GPU. A block computes a kGemmBlockRows x kGemmBlockColumns tile of C of one problem and
// walks k in tiles of 64 bytes per row. Operands are loaded in their memory order: along rows if k
// is contiguous, otherwise along columns; the product (mma_AB, mma_ABt, mma_AtB) is chosen to
// match. Tested with an emulated GPU in tests/kernels_src/gemm_gpu_test.cpp.

#include "eflow/kernels_src/args/gemm.h"
#include "eflow/kernels_src/tile/matrix.h"

namespace EFLOW_TEXT {

using eflow::args::Gemm;
using eflow::args::kGemmBlockColumns;
using eflow::args::kGemmBlockRows;

/// Rows of A or columns of B of one block: element (i, k) is at p[i * across + k * along].
template <class T>
struct GemmSource {
  const T* p;
  Index across, along;
  Index count;

  /// View of the elements from k on as tile rows, with k along the tile's rows.
  EFLOW_FN View<const T> by_rows(Index k, Index end) const {
    return {p + k * along, across, count, end - k};
  }
  /// The same with k down the tile's columns.
  EFLOW_FN View<const T> by_columns(Index k, Index end) const {
    return {p + k * along, along, end - k, count};
  }
};

/// Extent of a tile along k: 64 bytes.
template <class T>
inline constexpr int kGemmDepth = 64 / static_cast<int>(sizeof(T));

/// acc += A B. kA (kLeft or kRight) and kB (kRightT or kRight) say whether k runs along an
/// operand's rows or down its columns.
template <Use kA, Use kB, class T, class C, int M, int N>
EFLOW_FN void gemm_walk(Acc<C, M, N>& acc, Arena arena, const GemmSource<T>& a,
                        const GemmSource<T>& b, Index k) {
  constexpr int K = kGemmDepth<T>;
  constexpr bool kRowsOfA = kA == Use::kLeft, kRowsOfB = kB == Use::kRightT;
  const auto a_ring = alloc_ring < 2, T, kRowsOfA ? M : K, kRowsOfA ? K : M, kA > (arena);
  const auto b_ring = alloc_ring < 2, T, kRowsOfB ? N : K, kRowsOfB ? K : N, kB > (arena);
  const auto fetch = [&](Index at, int stage) {
    if constexpr (kRowsOfA)
      load_strided(a_ring[stage], a.by_rows(at, k), a.along);
    else
      load_strided(a_ring[stage], a.by_columns(at, k), a.across);
    if constexpr (kRowsOfB)
      load_strided(b_ring[stage], b.by_rows(at, k), b.along);
    else
      load_strided(b_ring[stage], b.by_columns(at, k), b.across);
  };
  pipeline<2>(0, k, K, fetch, [&](Index, int stage) {
    if constexpr (!kRowsOfA)
      mma_AtB(acc, a_ring[stage], b_ring[stage]);
    else if constexpr (kRowsOfB)
      mma_ABt(acc, a_ring[stage], b_ring[stage]);
    else
      mma_AB(acc, a_ring[stage], b_ring[stage]);
  });
}

/// acc += factor * view.
template <class O, class C, int M, int N>
EFLOW_FN void gemm_add(Acc<C, M, N>& acc, View<const O> view, C factor) {
  Acc<C, M, N> other;
  load(other, view);
  map(acc, other, [&](auto x, auto y) { return x + factor * y; });
}

/// T is the stored type of A and B, O that of C, bias, aux and residual. The unnamed integers are
/// the CPU text's tuning constants, ignored here.
template <class T, class O, int = 0, int = 0, int = 0>
void gemm(const Block& block, const Gemm& g) {
  using C = Compute<T>;
  constexpr int M = kGemmBlockRows, N = kGemmBlockColumns;
  const Index i = block.x % g.blocks_m * M, j = block.x / g.blocks_m * N;
  const Index y = block.y, z = block.z, rows = g.m - i, columns = g.n - j;
  const GemmSource<T> a{static_cast<const T*>(g.a) + y * g.a_bs[0] + z * g.a_bs[1] + i * g.a_rs,
                        g.a_rs, g.a_cs, rows};
  const GemmSource<T> b{static_cast<const T*>(g.b) + y * g.b_bs[0] + z * g.b_bs[1] + j * g.b_cs,
                        g.b_cs, g.b_rs, columns};
  Arena arena(block);
  Acc<C, M, N> acc;
  fill(acc, C(0));
  if (g.b_cs != 1)
    gemm_walk<Use::kLeft, Use::kRightT>(acc, arena, a, b, g.k);
  else if (g.a_rs != 1 || g.a_cs == 1)
    gemm_walk<Use::kLeft, Use::kRight>(acc, arena, a, b, g.k);
  else
    gemm_walk<Use::kRight, Use::kRight>(acc, arena, a, b, g.k);

  const Index c_at = y * g.c_bs[0] + z * g.c_bs[1] + i * g.c_rs + j;
  const View<O> c{static_cast<O*>(g.c) + c_at, g.c_rs, rows, columns};
  map(acc, [&](auto x) { return C(g.alpha) * x; });
  if (g.beta != 0) gemm_add(acc, View<const O>{c.p, c.row_stride, rows, columns}, C(g.beta));
  if (g.bias != nullptr) {
    ColVec<C, N> bias;
    load(bias, static_cast<const O*>(g.bias) + j, 1, columns, C(0));
    col_apply(acc, bias, [](auto x, auto w) { return x + w; });
  }
  if (g.gelu == eflow::args::kGeluGradient) {
    Acc<C, M, N> before;
    load(before, View<const O>{static_cast<const O*>(g.aux) + c_at, g.c_rs, rows, columns});
    map(acc, before, [](auto dy, auto x) { return gelu_grad(x, dy); });
  } else if (g.aux != nullptr) {
    store(View<O>{static_cast<O*>(g.aux) + c_at, g.c_rs, rows, columns}, acc);
  }
  if (g.gelu == eflow::args::kGeluOfSum) map(acc, [](auto x) { return gelu(x); });
  if (g.residual != nullptr) {
    const O* const residual = static_cast<const O*>(g.residual) + y * g.residual_bs[0] +
                              z * g.residual_bs[1] + i * g.residual_rs + j;
    gemm_add(acc, View<const O>{residual, g.residual_rs, rows, columns}, C(1));
  }
  store(c, acc);
}

}  // namespace EFLOW_TEXT
