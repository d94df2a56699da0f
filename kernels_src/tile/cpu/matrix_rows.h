#pragma once
// Operations on sums between two products: element-wise functions, row reductions, masks,
// exponentials. The interface is documented in matrix.h.

#include "eflow/kernels_src/tile/cpu/matrix_lanes.h"
#include "eflow/kernels_src/tile/cpu/matrix_mma.h"

namespace EFLOW_TEXT {

// See matrix.h: kLowestMax > kMasked makes fully masked rows sum to exactly 0.
inline constexpr float kMasked = -1e30f;
inline constexpr float kLowestMax = -1e29f;

template <class C, int R, int N, class F>
EFLOW_FN void map(Acc<C, R, N>& acc, F&& f) {
  each<C>(0, R * acc.kStride, [&](auto i) { store(acc.v, i, f(load<C>(acc.v, i))); });
}
template <class C, int R, int N, class F>
EFLOW_FN void map(Acc<C, R, N>& acc, const Acc<C, R, N>& other, F&& f) {
  each<C>(0, R * acc.kStride,
          [&](auto i) { store(acc.v, i, f(load<C>(acc.v, i), load<C>(other.v, i))); });
}
template <class C, int R, int N, class T, class F>
EFLOW_FN void map(Acc<C, R, N>& acc, const View<const T>& view, F&& f) {
  const Index rows = min_of<Index>(view.rows, R), columns = min_of<Index>(view.columns, N);
  for (Index r = 0; r < rows; ++r) {
    C* const row = acc.v + r * acc.kStride;
    const T* const other = view.p + r * view.row_stride;
    each<C>(0, columns, [&](auto j) { store(row, j, f(load<C>(row, j), load<C>(other, j))); });
  }
}
template <class C, int R, int N, class F>
EFLOW_FN void map_rc(Acc<C, R, N>& acc, F&& f) {
  for (Index r = 0; r < R; ++r) {
    for (Index j = 0; j < N; ++j) acc.v[r * acc.kStride + j] = f(acc.v[r * acc.kStride + j], r, j);
  }
}

template <class C, int R, int N, class F>
EFLOW_FN void row_apply(Acc<C, R, N>& acc, const RowVec<C, R>& vec, F&& f) {
  for (Index r = 0; r < R; ++r) {
    C* const row = acc.v + r * acc.kStride;
    const Pack<C> x = splat<C>(vec[r]);
    each<C>(0, acc.kStride, [&](auto j) { store(row, j, f(load<C>(row, j), x)); });
  }
}
template <class C, int R, int N, class F>
EFLOW_FN void row_apply(Acc<C, R, N>& acc, const Acc<C, R, N>& other, const RowVec<C, R>& vec,
                        F&& f) {
  for (Index r = 0; r < R; ++r) {
    C* const row = acc.v + r * acc.kStride;
    const C* const other_row = other.v + r * acc.kStride;
    const Pack<C> x = splat<C>(vec[r]);
    each<C>(0, acc.kStride,
            [&](auto j) { store(row, j, f(load<C>(row, j), load<C>(other_row, j), x)); });
  }
}
/// A factor of exactly 1 is skipped: most rescalings of an online softmax are 1.
template <class C, int R, int N>
EFLOW_FN void scale_rows(Acc<C, R, N>& acc, const RowVec<C, R>& vec) {
  for (Index r = 0; r < R; ++r) {
    if (vec[r] == C(1)) continue;
    C* const row = acc.v + r * acc.kStride;
    const Pack<C> x = splat<C>(vec[r]);
    each<C>(0, acc.kStride, [&](auto j) { store(row, j, load<C>(row, j) * x); });
  }
}

template <class C, int R, int N, class F>
EFLOW_FN void col_apply(Acc<C, R, N>& acc, const ColVec<C, N>& vec, F&& f) {
  for (Index r = 0; r < R; ++r) {
    C* const row = acc.v + r * acc.kStride;
    each<C>(0, acc.kStride, [&](auto j) { store(row, j, f(load<C>(row, j), load<C>(vec.v, j))); });
  }
}
template <class C, int R, int N, class F>
EFLOW_FN void col_apply(Acc<C, R, N>& acc, const Acc<C, R, N>& other, const ColVec<C, N>& vec,
                        F&& f) {
  for (Index r = 0; r < R; ++r) {
    C* const row = acc.v + r * acc.kStride;
    const C* const other_row = other.v + r * acc.kStride;
    each<C>(0, acc.kStride, [&](auto j) {
      store(row, j, f(load<C>(row, j), load<C>(other_row, j), load<C>(vec.v, j)));
    });
  }
}

template <class F, class C, int R, class... V>
EFLOW_FN RowVec<C, R> vmap(F&& f, const RowVec<C, R>& first, const V&... rest) {
  RowVec<C, R> out;
  each<C>(0, whole_lanes<C>(R),
          [&](auto i) { store(out.v, i, f(load<C>(first.v, i), load<C>(rest.v, i)...)); });
  return out;
}

template <class F, class C, int N, class... V>
EFLOW_FN ColVec<C, N> vmap(F&& f, const ColVec<C, N>& first, const V&... rest) {
  ColVec<C, N> out;
  each<C>(0, whole_lanes<C>(N),
          [&](auto i) { store(out.v, i, f(load<C>(first.v, i), load<C>(rest.v, i)...)); });
  return out;
}

/// For each row, `start` joined with its columns. join(x, x) is x.
template <class C, int R, int N, class Join>
EFLOW_FN RowVec<C, R> join_rows(const Acc<C, R, N>& acc, const RowVec<C, R>& start, Join&& join) {
  RowVec<C, R> out;
  const auto row = [&](Index r) {
    const C rest = start[r];
    Pack<C> best = splat<C>(rest);
    each<C>(0, N, [&](auto j) {
      best = join(best,
                  guarded<C>(j, rest, [&](auto i) { return load<C>(acc.v + r * acc.kStride, i); }));
    });
    return best;
  };
  join_lanes_of_rows<C, R>(out.v, row, join);
  return out;
}
template <class C, int R, int N>
EFLOW_FN RowVec<C, R> row_max(const Acc<C, R, N>& acc, const RowVec<C, R>& start) {
  return join_rows(acc, start, [](auto a, auto b) { return max_pack(a, b); });
}
template <class C, int R, int N>
EFLOW_FN RowVec<C, R> row_min(const Acc<C, R, N>& acc, const RowVec<C, R>& start) {
  return join_rows(acc, start, [](auto a, auto b) { return min_pack(a, b); });
}

/// For each column, `start` joined with its rows.
template <class C, int R, int N, class Join>
EFLOW_FN ColVec<C, N> join_columns(const Acc<C, R, N>& acc, const ColVec<C, N>& start,
                                   Join&& join) {
  ColVec<C, N> out;
  each<C>(0, acc.kStride, [&](auto j) {
    Pack<C> best = load<C>(start.v, j);
    for (Index r = 0; r < R; ++r) best = join(best, load<C>(acc.v + r * acc.kStride, j));
    store(out.v, j, best);
  });
  return out;
}
template <class C, int R, int N>
EFLOW_FN ColVec<C, N> col_max(const Acc<C, R, N>& acc, const ColVec<C, N>& start) {
  return join_columns(acc, start, [](auto a, auto b) { return max_pack(a, b); });
}
template <class C, int R, int N>
EFLOW_FN ColVec<C, N> col_min(const Acc<C, R, N>& acc, const ColVec<C, N>& start) {
  return join_columns(acc, start, [](auto a, auto b) { return min_pack(a, b); });
}

/// The sum of the lanes of row(r), for each row.
template <class C, int R, class Row>
EFLOW_FN RowVec<C, R> sum_rows(Row&& row) {
  RowVec<C, R> out;
  join_lanes_of_rows<C, R>(out.v, row, [](auto a, auto b) { return a + b; });
  return out;
}

template <class C, int R, int N>
EFLOW_FN RowVec<C, R> row_sum(const Acc<C, R, N>& acc) {
  return sum_rows<C, R>([&](Index r) {
    Pack<C> sum{};
    each<C>(0, N, [&](auto j) { sum += load<C>(acc.v + r * acc.kStride, j); });
    return sum;
  });
}

template <class C, int R, int N>
EFLOW_FN RowVec<C, R> row_dot(const Acc<C, R, N>& a, const Acc<C, R, N>& b) {
  return sum_rows<C, R>([&](Index r) {
    const C *const x = a.v + r * a.kStride, *const y = b.v + r * b.kStride;
    Pack<C> sum{};
    each<C>(0, N, [&](auto j) { sum += load<C>(x, j) * load<C>(y, j); });
    return sum;
  });
}

template <class C, int R, int N>
EFLOW_FN ColVec<C, N> col_dot(const Acc<C, R, N>& a, const Acc<C, R, N>& b) {
  ColVec<C, N> out;
  each<C>(0, a.kStride, [&](auto j) {
    Pack<C> sum{};
    for (Index r = 0; r < R; ++r)
      sum += load<C>(a.v + r * a.kStride, j) * load<C>(b.v + r * b.kStride, j);
    store(out.v, j, sum);
  });
  return out;
}

template <class C, int R, int N>
EFLOW_FN ColVec<C, N> col_sum(const Acc<C, R, N>& acc) {
  ColVec<C, N> out;
  each<C>(0, acc.kStride, [&](auto j) {
    Pack<C> sum{};
    for (Index r = 0; r < R; ++r) sum += load<C>(acc.v + r * acc.kStride, j);
    store(out.v, j, sum);
  });
  return out;
}

/// 2^x for x <= about 1, 0 for x <= -126, NaN for NaN. Half the work of exp2, which must handle any
/// x.
template <class V>
EFLOW_FN V exp2_fast(V x) {
  if constexpr (!kIsF32<V>) {
    return exp2(x);
  } else {
    typedef i32 I __attribute__((vector_size(sizeof(V))));
    const V low = V{} - 126.0f;
    const V c = x > low ? x : low;
    const V shift =
        V{} + 12582912.0f;  // 1.5 * 2^23: adding it rounds to an integer, kept in the low bits
    const V moved = c + shift;
    const V f = c - (moved - shift);
    const V p = exp2_fraction(f);
    I bits, exponent;
    __builtin_memcpy(&bits, &p, sizeof p);
    __builtin_memcpy(&exponent, &moved, sizeof moved);
    bits += exponent << 23;
    V y;
    __builtin_memcpy(&y, &bits, sizeof y);
    const V rest = x != x ? x : V{};
    return x > low ? y : rest;
  }
}

template <class C, int R, int N>
EFLOW_FN RowVec<C, R> exp2_sub(Acc<C, R, N>& acc, C scale, const RowVec<C, R>& vec) {
  return sum_rows<C, R>([&](Index r) {
    C* const row = acc.v + r * acc.kStride;
    const Pack<C> x = splat<C>(vec[r]);
    Pack<C> sum{};
    each<C>(0, N, [&](auto j) {
      const Pack<C> e =
          guarded<C>(j, C(0), [&](auto i) { return exp2_fast(load<C>(row, i) * scale - x); });
      store(row, j, e);
      sum += e;
    });
    return sum;
  });
}

template <class C, int R, int N>
EFLOW_FN void exp2_sub(Acc<C, R, N>& acc, C scale, const ColVec<C, N>& vec) {
  col_apply(acc, vec, [&](Pack<C> x, Pack<C> v) { return exp2_fast(x * scale - v); });
}

/// Sets columns outside [low(r), high(r)) of each row r to x. Column numbers are compared as C,
/// exact for tiles.
template <class C, int R, int N, class L, class H>
EFLOW_FN void mask_range(Acc<C, R, N>& acc, L&& low, H&& high, C x) {
  for (Index r = 0; r < R; ++r) {
    C* const row = acc.v + r * acc.kStride;
    const Pack<C> begin = splat<C>(static_cast<C>(low(r))), end = splat<C>(static_cast<C>(high(r)));
    each<C>(0, acc.kStride, [&](auto j) {
      const Pack<C> at = iota<C>(j), old = load<C>(row, j);
      const Pack<C> above = at >= begin ? old : splat<C>(x);
      store(row, j, at < end ? above : splat<C>(x));
    });
  }
}

}  // namespace EFLOW_TEXT
