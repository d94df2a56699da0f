#pragma once
// Packs rows of A for the matrix unit, which reads them along k: sources that are contiguous across,
// and rows that cannot be read in place.

#include "eflow/kernels_src/tile/cpu/matrix_pack.h"

#if EFLOW_MATRIX_UNIT

namespace EFLOW_TEXT {

/// Packs 16 rows, `stride` operands apart, of a source that is contiguous across.
EFLOW_FN void pack_rows_across(Bf16Pair* to, Index stride, PackSource<bf16> s, Index k) {
  const Index whole = k / 2 / kUnit * kUnit;
  for (Index i = 0; i < whole; i += kUnit) {
    Words q[kUnit];
    EFLOW_UNROLL for (int j = 0; j < kUnit; ++j) {
      Bf16Pair step[kUnit];
      vector_across(step, s.p + (i + j) * 2 * s.along, s.along);
      __builtin_memcpy(&q[j], step, sizeof step);
    }
    transpose(q);
    EFLOW_UNROLL for (int j = 0; j < kUnit; ++j)
        __builtin_memcpy(to + j * stride + i, &q[j], sizeof q[j]);
  }
  for (Index j = 0; j < kUnit; ++j)
    pack_one_by_one(to + j * stride, 1, s.from(j, 0), 0, 1, whole, ceil_div(k, 2), k);
}

/// rows[w][i] = steps[i][w] for `width` operands of each step; a multiple of 16, as is `row`. Operands
/// of a row from `count` on are 0.
EFLOW_FN void transpose_steps(Bf16Pair* rows, Index row, const Bf16Pair* steps, Index width,
                              Index count) {
  for (Index i = 0; i < row; i += kUnit) {
    for (Index w = 0; w < width; w += kUnit) {
      Words q[kUnit];
      EFLOW_UNROLL for (int j = 0; j < kUnit; ++j) {
        q[j] = Words{};
        if (i + j < count) __builtin_memcpy(&q[j], steps + (i + j) * width + w, sizeof q[j]);
      }
      transpose(q);
      EFLOW_UNROLL for (int j = 0; j < kUnit; ++j)
          __builtin_memcpy(rows + (w + j) * row + i, &q[j], sizeof q[j]);
    }
  }
}

/// Packs rows of A for the matrix unit: whole kernels' rows, `stride` operands apart, zero-filled.
EFLOW_FN void pack_unit_rows(Bf16Pair* to, Index stride, PackSource<bf16> s, Index rows, Index k) {
  const Index steps = ceil_div(k, 2), all = ceil_div(rows, kRowsOf<Bf16Pair>) * kRowsOf<Bf16Pair>;
  Index i = 0;
  for (; s.across == 1 && i + kUnit <= rows; i += kUnit)
    pack_rows_across(to + i * stride, stride, s.from(i, 0), k);
  for (; i < rows; ++i) {
    if (s.along == 1)
      pack_row(to + i * stride, s.p + i * s.across, k, steps);
    else
      pack_one_by_one(to + i * stride, 1, s.from(i, 0), 0, 1, 0, steps, k);
  }
  for (; i < all; ++i) {
    for (Index j = 0; j < steps; ++j) to[i * stride + j] = Bf16Pair{};
  }
}

}  // namespace EFLOW_TEXT

#endif
