#pragma once
// The micro-kernel of bf16 products on a matrix unit: rectangles of at most 2 x 2 registers of C. It
// reads A in rows of operands along k, as they lie in memory, and B as cpu/matrix_kernel.h does.

#include "eflow/kernels_src/tile/cpu/matrix_unit.h"

#if EFLOW_MATRIX_UNIT

namespace EFLOW_TEXT {

/// Registers: C 0 .. 3, A 4 and 5, B 6 and 7.
template <int kM, int kN>
EFLOW_FN void unit_zero_sums() {
  unit_zero<0>();
  if constexpr (kN == 2) unit_zero<1>();
  if constexpr (kM == 2) unit_zero<2>();
  if constexpr (kM == 2 && kN == 2) unit_zero<3>();
}

/// Adds kUnit operands along k. Strides count operands.
template <int kM, int kN>
EFLOW_FN void unit_step(const Bf16Pair* a, Index a_row, const Bf16Pair* b, Index b_k) {
  constexpr Index kBytes = sizeof(Bf16Pair);
  unit_load<6>(b, b_k * kBytes);
  unit_load<4>(a, a_row * kBytes);
  unit_multiply<0, 4, 6>();
  if constexpr (kN == 2) {
    unit_load<7>(b + kUnit, b_k * kBytes);
    unit_multiply<1, 4, 7>();
  }
  if constexpr (kM == 2) {
    unit_load<5>(a + kUnit * a_row, a_row * kBytes);
    unit_multiply<2, 5, 6>();
  }
  if constexpr (kM == 2 && kN == 2) unit_multiply<3, 5, 7>();
}

template <int kM, int kN>
EFLOW_FN void unit_store_sums(float* c, Index c_row) {
  constexpr Index kBytes = sizeof(float);
  unit_store<0>(c, c_row * kBytes);
  if constexpr (kN == 2) unit_store<1>(c + kUnit, c_row * kBytes);
  if constexpr (kM == 2) unit_store<2>(c + kUnit * c_row, c_row * kBytes);
  if constexpr (kM == 2 && kN == 2) unit_store<3>(c + kUnit * c_row + kUnit, c_row * kBytes);
}

/// The last operands along k, padded with zeros; both operands, since 0 x inf is not 0.
template <int kM, int kN>
EFLOW_FN void unit_last_step(Index rows, Index steps, const Bf16Pair* a, Index a_row,
                             const Bf16Pair* b, Index b_k) {
  alignas(64) Bf16Pair left[kM * kUnit * kUnit] = {}, right[kUnit * kN * kUnit] = {};
  for (Index i = 0; i < rows; ++i) {
    for (Index k = 0; k < steps; ++k) left[i * kUnit + k] = a[i * a_row + k];
  }
  for (Index k = 0; k < steps; ++k)
    __builtin_memcpy(right + k * kN * kUnit, b + k * b_k, kN * kUnit * sizeof(Bf16Pair));
  unit_step<kM, kN>(left, kUnit, right, kN * kUnit);
}

/// C (+)= A B for `rows` rows, at most 16 kM, and kN vectors. Only those rows of A and C are touched.
/// The sum over k starts from 0 and is added to C whole, as in the kernel without the unit.
template <int kM, int kN>
__attribute__((noinline)) void unit_kernel(const KernelCall<Bf16Pair>& call, Index rows) {
  const bool whole = rows == kM * kUnit;
  unit_zero_sums<kM, kN>();
  Index k = 0;
  for (; whole && k + kUnit <= call.k; k += kUnit)
    unit_step<kM, kN>(call.a + k, call.a_row, call.b + k * call.b_k, call.b_k);
  for (; k < call.k; k += kUnit)
    unit_last_step<kM, kN>(rows, min_of<Index>(kUnit, call.k - k), call.a + k, call.a_row,
                           call.b + k * call.b_k, call.b_k);
  if (whole && !call.add) return unit_store_sums<kM, kN>(call.c, call.c_row);
  constexpr Index kColumns = kN * kUnit;
  alignas(64) float sums[kM * kUnit * kColumns];
  unit_store_sums<kM, kN>(sums, kColumns);
  for (Index i = 0; i < rows; ++i) {
    float* const c = call.c + i * call.c_row;
    each<float>(0, kColumns, [&](auto j) {
      const Pack<float> old = call.add ? load<float>(c, j) : Pack<float>{};
      store(c, j, old + load<float>(sums + i * kColumns, j));
    });
  }
}

/// The same for any rows up to 32 and vectors up to 2. Requires call.a_k == 1.
EFLOW_FN void run_unit_kernel(const KernelCall<Bf16Pair>& call, Index rows, int vectors) {
  if (rows > kUnit)
    return vectors == 2 ? unit_kernel<2, 2>(call, rows) : unit_kernel<2, 1>(call, rows);
  return vectors == 2 ? unit_kernel<1, 2>(call, rows) : unit_kernel<1, 1>(call, rows);
}

}  // namespace EFLOW_TEXT

#endif
