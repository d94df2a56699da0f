#pragma once
// Operations on sums between two products: element-wise functions, row reductions by two shuffles,
// masks, exponentials. The interface is documented in matrix.h. Only col_sum and col_dot exchange
// data between warps.

#include "eflow/kernels_src/tile/cuda/matrix_sums.h"

namespace EFLOW_TEXT {

// See matrix.h: kLowestMax > kMasked makes fully masked rows sum to exactly 0.
inline constexpr float kMasked = -1e30f;
inline constexpr float kLowestMax = -1e29f;

template <class C, int R, int N, class F>
EFLOW_FN void map(Acc<C, R, N>& acc, F&& f) {
  each_sum<R, N>([&](int own, int strip, int e, int, int) {
    C& x = acc.v[own][strip][e];
    x = f(x);
  });
}
template <class C, int R, int N, class F>
EFLOW_FN void map(Acc<C, R, N>& acc, const Acc<C, R, N>& other, F&& f) {
  each_sum<R, N>([&](int own, int strip, int e, int, int) {
    C& x = acc.v[own][strip][e];
    x = f(x, other.v[own][strip][e]);
  });
}
template <class C, int R, int N, class T, class F>
EFLOW_FN void map(Acc<C, R, N>& acc, const View<const T>& view, F&& f) {
  const int rows = limit(view.rows, R), columns = limit(view.columns, N);
  if (rows == 0 || columns == 0) return;
  const T* of_row[Strips<R>::kOwn][2];  // out-of-range elements read a valid one
  each_row<R>([&](int own, int half, int row) {
    of_row[own][half] = view.p + min_of(row, rows - 1) * view.row_stride;
  });
  each_sum<R, N>([&](int own, int strip, int e, int row, int column) {
    const C y = static_cast<C>(widen(of_row[own][e / 2][min_of(column, columns - 1)]));
    C& x = acc.v[own][strip][e];
    if (row < rows && column < columns) x = f(x, y);
  });
}
template <class C, int R, int N, class F>
EFLOW_FN void map_rc(Acc<C, R, N>& acc, F&& f) {
  each_sum<R, N>([&](int own, int strip, int e, int row, int column) {
    C& x = acc.v[own][strip][e];
    if (row < R && column < N) x = f(x, Index{row}, Index{column});
  });
}

template <class C, int R, int N, class F>
EFLOW_FN void row_apply(Acc<C, R, N>& acc, const RowVec<C, R>& vec, F&& f) {
  each_sum<R, N>([&](int own, int strip, int e, int, int) {
    C& x = acc.v[own][strip][e];
    x = f(x, vec.v[own][e / 2]);
  });
}
template <class C, int R, int N, class F>
EFLOW_FN void row_apply(Acc<C, R, N>& acc, const Acc<C, R, N>& other, const RowVec<C, R>& vec,
                        F&& f) {
  each_sum<R, N>([&](int own, int strip, int e, int, int) {
    C& x = acc.v[own][strip][e];
    x = f(x, other.v[own][strip][e], vec.v[own][e / 2]);
  });
}
template <class C, int R, int N>
EFLOW_FN void scale_rows(Acc<C, R, N>& acc, const RowVec<C, R>& vec) {
  row_apply(acc, vec, [](C x, C v) { return x * v; });
}

template <class C, int R, int N, class F>
EFLOW_FN void col_apply(Acc<C, R, N>& acc, const ColVec<C, N>& vec, F&& f) {
  each_sum<R, N>([&](int own, int strip, int e, int, int) {
    C& x = acc.v[own][strip][e];
    x = f(x, vec.v[strip][e % 2]);
  });
}
template <class C, int R, int N, class F>
EFLOW_FN void col_apply(Acc<C, R, N>& acc, const Acc<C, R, N>& other, const ColVec<C, N>& vec,
                        F&& f) {
  each_sum<R, N>([&](int own, int strip, int e, int, int) {
    C& x = acc.v[own][strip][e];
    x = f(x, other.v[own][strip][e], vec.v[strip][e % 2]);
  });
}

template <class F, class C, int R, class... V>
EFLOW_FN RowVec<C, R> vmap(F&& f, const RowVec<C, R>& first, const V&... rest) {
  RowVec<C, R> out;
  each_row<R>([&](int own, int half, int) {
    out.v[own][half] = f(first.v[own][half], rest.v[own][half]...);
  });
  return out;
}

template <class F, class C, int N, class... V>
EFLOW_FN ColVec<C, N> vmap(F&& f, const ColVec<C, N>& first, const V&... rest) {
  ColVec<C, N> out;
  each_column<N>(
      [&](int strip, int e, int) { out.v[strip][e] = f(first.v[strip][e], rest.v[strip][e]...); });
  return out;
}

/// Joins the values of the four lanes of a row.
template <class C, class Join>
EFLOW_FN C of_row(C x, Join&& join) {
  x = join(x, shuffle_xor(x, 1));
  return join(x, shuffle_xor(x, 2));
}

/// For each row, `start` joined with value(own strip, column strip, element) of its columns.
template <class C, int R, int N, class Value, class Join>
EFLOW_FN RowVec<C, R> reduce_rows(const RowVec<C, R>& start, Value&& value, Join&& join) {
  RowVec<C, R> out = start;
  each_sum<R, N>([&](int own, int strip, int e, int, int column) {
    C& x = out.v[own][e / 2];
    if (column < N) x = join(x, value(own, strip, e));
  });
  each_row<R>([&](int own, int half, int) { out.v[own][half] = of_row(out.v[own][half], join); });
  return out;
}

template <class C, int R, int N>
EFLOW_FN RowVec<C, R> row_max(const Acc<C, R, N>& acc, const RowVec<C, R>& start) {
  return reduce_rows<C, R, N>(
      start, [&](int own, int strip, int e) { return acc.v[own][strip][e]; },
      [](C a, C b) { return max_pack(a, b); });
}
template <class C, int R, int N>
EFLOW_FN RowVec<C, R> row_min(const Acc<C, R, N>& acc, const RowVec<C, R>& start) {
  return reduce_rows<C, R, N>(
      start, [&](int own, int strip, int e) { return acc.v[own][strip][e]; },
      [](C a, C b) { return min_pack(a, b); });
}
template <class C, int R, int N, class Value>
EFLOW_FN RowVec<C, R> sum_rows(Value&& value) {
  RowVec<C, R> zero;
  fill(zero, C(0));
  return reduce_rows<C, R, N>(zero, value, [](C a, C b) { return a + b; });
}
template <class C, int R, int N>
EFLOW_FN RowVec<C, R> row_sum(const Acc<C, R, N>& acc) {
  return sum_rows<C, R, N>([&](int own, int strip, int e) { return acc.v[own][strip][e]; });
}
template <class C, int R, int N>
EFLOW_FN RowVec<C, R> row_dot(const Acc<C, R, N>& a, const Acc<C, R, N>& b) {
  return sum_rows<C, R, N>(
      [&](int own, int strip, int e) { return a.v[own][strip][e] * b.v[own][strip][e]; });
}

/// Each warp joins value(own strip, column strip, element) of its own rows, beginning with `none`;
/// then every thread joins the warps' results in ascending order. The first barrier waits for
/// readers of of_warp from an earlier call.
template <class C, int R, int N, class Value, class Join>
EFLOW_FN ColVec<C, N> reduce_columns(C none, Value&& value, Join&& join) {
  constexpr int kStrips = Acc<C, R, N>::kColumnStrips;
  EFLOW_SHARED C of_warp[kWarps][8 * kStrips];
  block_barrier();
  each_column<N>([&](int strip, int e, int column) {
    C x = none;
    each_row<R>([&](int own, int half, int row) {
      if (row < R) x = join(x, value(own, strip, 2 * half + e));
    });
    EFLOW_UNROLL
    for (int step = 4; step < 32; step *= 2) x = join(x, shuffle_xor(x, step));
    if (lane_index() < 4) of_warp[warp_index()][column] = x;
  });
  block_barrier();
  ColVec<C, N> out;
  each_column<N>([&](int strip, int e, int column) {
    C x = of_warp[0][column];
    for (int w = 1; w < kWarps; ++w) x = join(x, of_warp[w][column]);
    out.v[strip][e] = x;
  });
  return out;
}
template <class C, int R, int N, class Value>
EFLOW_FN ColVec<C, N> sum_columns(Value&& value) {
  return reduce_columns<C, R, N>(C(0), value, [](C a, C b) { return a + b; });
}
template <class C, int R, int N>
EFLOW_FN ColVec<C, N> col_max(const Acc<C, R, N>& acc, const ColVec<C, N>& start) {
  const auto larger = [](C a, C b) { return max_pack(a, b); };
  const auto value = [&](int own, int strip, int e) { return acc.v[own][strip][e]; };
  return vmap(larger, start, reduce_columns<C, R, N>(lowest_of<C>(), value, larger));
}
template <class C, int R, int N>
EFLOW_FN ColVec<C, N> col_min(const Acc<C, R, N>& acc, const ColVec<C, N>& start) {
  const auto smaller = [](C a, C b) { return min_pack(a, b); };
  const auto value = [&](int own, int strip, int e) { return acc.v[own][strip][e]; };
  return vmap(smaller, start, reduce_columns<C, R, N>(highest_of<C>(), value, smaller));
}
template <class C, int R, int N>
EFLOW_FN ColVec<C, N> col_sum(const Acc<C, R, N>& acc) {
  return sum_columns<C, R, N>([&](int own, int strip, int e) { return acc.v[own][strip][e]; });
}
template <class C, int R, int N>
EFLOW_FN ColVec<C, N> col_dot(const Acc<C, R, N>& a, const Acc<C, R, N>& b) {
  return sum_columns<C, R, N>(
      [&](int own, int strip, int e) { return a.v[own][strip][e] * b.v[own][strip][e]; });
}

/// 2^x for x <= about 0.
EFLOW_FN float exp2_fast(float x) {
  return exp2_instruction(x);
}
EFLOW_FN double exp2_fast(double x) {
  return exp2(x);
}

template <class C, int R, int N>
EFLOW_FN RowVec<C, R> exp2_sub(Acc<C, R, N>& acc, C scale, const RowVec<C, R>& vec) {
  row_apply(acc, vec, [&](C x, C v) { return exp2_fast(x * scale - v); });
  return row_sum(acc);
}
template <class C, int R, int N>
EFLOW_FN void exp2_sub(Acc<C, R, N>& acc, C scale, const ColVec<C, N>& vec) {
  col_apply(acc, vec, [&](C x, C v) { return exp2_fast(x * scale - v); });
}

/// Sets columns outside [low(r), high(r)) of each row r to x. Padding rows are left unchanged.
template <class C, int R, int N, class L, class H>
EFLOW_FN void mask_range(Acc<C, R, N>& acc, L&& low, H&& high, C x) {
  int begin[Strips<R>::kOwn][2], end[Strips<R>::kOwn][2];
  each_row<R>([&](int own, int half, int row) {
    begin[own][half] = row < R ? limit(low(Index{row}), N) : 0;
    end[own][half] = row < R ? limit(high(Index{row}), N) : N;
  });
  each_sum<R, N>([&](int own, int strip, int e, int, int column) {
    if (column < begin[own][e / 2] || column >= end[own][e / 2]) acc.v[own][strip][e] = x;
  });
}

}  // namespace EFLOW_TEXT
