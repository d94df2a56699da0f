#pragma once
// Joins and transposition of sums on the CPU. The interface is documented in tile/matrix_join.h.

#include "eflow/kernels_src/tile/cpu/matrix_rows.h"

namespace EFLOW_TEXT {

template <class C, int R, int N, class Join>
EFLOW_FN RowVec<C, R> row_reduce(const Acc<C, R, N>& acc, C start, Join&& join) {
  RowVec<C, R> out;
  fill(out, start);
  return join_rows(acc, out, join);
}
template <class C, int R, int N, class Join>
EFLOW_FN ColVec<C, N> col_reduce(const Acc<C, R, N>& acc, C start, Join&& join) {
  ColVec<C, N> out;
  fill(out, start);
  return join_columns(acc, out, join);
}
template <class C, int R, int N, class Join>
EFLOW_FN void row_scan(Acc<C, R, N>& acc, Join&& join) {
  for (Index r = 0; r < R; ++r) {
    C* const row = acc.v + r * acc.kStride;
    for (Index j = 1; j < N; ++j) row[j] = join(row[j - 1], row[j]);
  }
}
template <class C, int R, int N>
EFLOW_FN Acc<C, N, R> transpose(STile<C, R, N, Use::kRight>, const Acc<C, R, N>& acc) {
  Acc<C, N, R> out;
  for (Index j = 0; j < N; ++j) {
    for (Index r = 0; r < R; ++r) out.v[j * out.kStride + r] = acc.v[r * acc.kStride + j];
    for (Index r = R; r < out.kStride; ++r) out.v[j * out.kStride + r] = 0;
  }
  return out;
}

}  // namespace EFLOW_TEXT
