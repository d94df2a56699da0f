#pragma once
// Joins and transposition of sums on a GPU. The interface is documented in tile/matrix_join.h.

#include "eflow/kernels_src/tile/cuda/matrix_mma.h"
#include "eflow/kernels_src/tile/cuda/matrix_rows.h"

namespace EFLOW_TEXT {

template <class C, int R, int N, class Join>
EFLOW_FN RowVec<C, R> row_reduce(const Acc<C, R, N>& acc, C start, Join&& join) {
  RowVec<C, R> out;
  fill(out, start);
  return reduce_rows<C, R, N>(
      out, [&](int own, int strip, int e) { return acc.v[own][strip][e]; }, join);
}
template <class C, int R, int N, class Join>
EFLOW_FN ColVec<C, N> col_reduce(const Acc<C, R, N>& acc, C start, Join&& join) {
  return reduce_columns<C, R, N>(
      start, [&](int own, int strip, int e) { return acc.v[own][strip][e]; }, join);
}

/// Strip by strip: a lane joins its two columns, the four lanes of the row theirs, and then what
/// came before the strip.
template <class C, int R, int N, class Join>
EFLOW_FN void row_scan(Acc<C, R, N>& acc, Join&& join) {
  each_row<R>([&](int own, int half, int) {
    C before{};
    EFLOW_UNROLL
    for (int strip = 0; strip < acc.kColumnStrips; ++strip) {
      C* const x = acc.v[own][strip] + 2 * half;
      x[1] = join(x[0], x[1]);
      C all = x[1], own_before{};
      bool any = false;
      EFLOW_UNROLL
      for (int step = 1; step < 4; step *= 2) {
        const C other = shuffle_xor(all, step);
        if ((lane_index() & step) != 0) {
          own_before = any ? join(other, own_before) : other;
          any = true;
          all = join(other, all);
        } else {
          all = join(all, other);
        }
      }
      if (strip > 0) {
        own_before = any ? join(before, own_before) : before;
        any = true;
      }
      if (any) {
        x[0] = join(own_before, x[0]);
        x[1] = join(own_before, x[1]);
      }
      before = strip > 0 ? join(before, all) : all;
    }
  });
}

template <class C, int R, int N>
EFLOW_FN Acc<C, N, R> transpose(STile<C, R, N, Use::kRight> tile, const Acc<C, R, N>& acc) {
  put_sums(tile, acc);
  Acc<C, N, R> out;
  each_sum<N, R>([&](int own, int strip, int e, int row, int column) {
    out.v[own][strip][e] = row < N && column < R ? tile.p[tile.offset(column, row)] : C(0);
  });
  return out;
}

}  // namespace EFLOW_TEXT
