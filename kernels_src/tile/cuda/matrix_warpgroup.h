#pragma once
// Products of bf16 tiles by warpgroup instructions (wgmma). If the tile's rows divide into groups
// of 64, one instruction reads the operands of all four warps from shared memory, and no warp loads
// fragments. Emulated only so far (docs/cuda.md).

#include "eflow/kernels_src/tile/cuda/matrix_sums.h"
#include "eflow/kernels_src/tile/cuda/warpgroup.h"

namespace EFLOW_TEXT {

/// Whether sums of M rows are distributed to warpgroups, 64 rows at a time.
template <class T, int M>
inline constexpr bool kByWarpgroup = kWarpgroups&& kIsBf16<T>&& kWarps % 4 == 0 && M % 64 == 0;

/// Descriptor of a tile's operand that begins at row or column `outer`, for step k of 16.
template <class T, int R, int C, Use kUse>
EFLOW_FN u64 operand_of(const STile<T, R, C, kUse>& tile, int outer, int k) {
  constexpr int kCore = 128, kChunkBytes = 16 * STile<T, R, C, kUse>::kRows;
  if constexpr (kUse == Use::kRight)
    return operand_at(tile.p + tile.chunk(16 * k, outer / 8), kCore, kChunkBytes);
  else
    return operand_at(tile.p + tile.chunk(outer, 2 * k), kChunkBytes, kCore);
}

/// c[strip] += A B for strips [kFirst, kAll) of step k, in as few instructions as powers of two
/// allow. A is a descriptor of shared memory or the lane's registers.
template <int kFirst, int kAll, bool kDownA, class A, class T, int R, int N, Use kUse>
EFLOW_FN void multiply_strips(float (*c)[4], const A& a, const STile<T, R, N, kUse>& b, int k) {
  if constexpr (kFirst < kAll) {
    constexpr int kRest = kAll - kFirst;
    constexpr int kCount = kRest >= 16 ? 16 : kRest >= 8 ? 8 : kRest >= 4 ? 4 : kRest >= 2 ? 2 : 1;
    constexpr bool kDownB = kUse == Use::kRight;
    const u64 operand = operand_of(b, 8 * kFirst, k);
    if constexpr (kSameType<A, u64>)
      multiply_shared<kCount, kDownA, kDownB>(c + kFirst, a, operand);
    else
      multiply_shared<kCount, kDownB>(c + kFirst, a, operand);
    multiply_strips<kFirst + kCount, kAll, kDownA>(c, a, b, k);
  }
}

/// acc += A B over kSteps steps. left(own strip, first row of the warpgroup's 64, step) returns A.
template <int kSteps, bool kDownA, int M, int N, class L, class B>
EFLOW_FN void multiply_by_warpgroup(Acc<float, M, N>& acc, L&& left, const B& b) {
  using Rows = Strips<M>;
  if (!Rows::exists(0)) return;
  begin_products();
  EFLOW_UNROLL
  for (int own = 0; own < Rows::kOwn; ++own) {
    if (!Rows::exists(own)) continue;
    const int row = 16 * (Rows::index(own) - warp_index() % 4);
    EFLOW_UNROLL
    for (int k = 0; k < kSteps; ++k)
      multiply_strips<0, Acc<float, M, N>::kColumnStrips, kDownA>(acc.v[own], left(own, row, k), b,
                                                                  k);
  }
  finish_products();
}

}  // namespace EFLOW_TEXT
