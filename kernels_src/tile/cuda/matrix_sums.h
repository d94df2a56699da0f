#pragma once
// Sums in registers, in the layout of the matrix instructions (cuda/instructions.h). Scalar
// products use the same layout, so one text serves all types and architectures. A row's number is
// held by the four lanes that share the row, a column's number by the lanes that share the column.

#include "eflow/kernels_src/tile/cuda/matrix_tile.h"

namespace EFLOW_TEXT {

/// R x N sums, both padded; the contents beyond R and N are undefined.
template <class C, int R, int N>
struct Acc {
  using Rows = Strips<R>;
  static constexpr int kColumnStrips = (N + 7) / 8;
  C v[Rows::kOwn][kColumnStrips][4];
};

/// Widest accumulator of which a block has registers for two, in columns. It can hold one of twice
/// the width.
inline constexpr int kWidestPair = 128;

/// One number per row.
template <class C, int R>
struct RowVec {
  using Rows = Strips<R>;
  C v[Rows::kOwn][2];
};

/// One number per column.
template <class C, int N>
struct ColVec {
  static constexpr int kColumnStrips = (N + 7) / 8;
  C v[kColumnStrips][2];
};

/// Calls f(own strip, column strip, element, row, column) for every element that the thread holds.
template <int R, int N, class F>
EFLOW_FN void each_sum(F&& f) {
  using Rows = Strips<R>;
  EFLOW_UNROLL
  for (int own = 0; own < Rows::kOwn; ++own) {
    EFLOW_UNROLL
    for (int strip = 0; strip < (N + 7) / 8; ++strip) {
      EFLOW_UNROLL
      for (int e = 0; e < 4; ++e) f(own, strip, e, Rows::row(own, e / 2), column_of(strip) + e % 2);
    }
  }
}
template <int R, class F>
EFLOW_FN void each_row(F&& f) {
  using Rows = Strips<R>;
  EFLOW_UNROLL
  for (int own = 0; own < Rows::kOwn; ++own) {
    EFLOW_UNROLL
    for (int half = 0; half < 2; ++half) f(own, half, Rows::row(own, half));
  }
}
template <int N, class F>
EFLOW_FN void each_column(F&& f) {
  EFLOW_UNROLL
  for (int strip = 0; strip < (N + 7) / 8; ++strip) {
    EFLOW_UNROLL
    for (int e = 0; e < 2; ++e) f(strip, e, column_of(strip) + e);
  }
}

template <class C, int R, int N>
EFLOW_FN void fill(Acc<C, R, N>& acc, C x) {
  each_sum<R, N>([&](int own, int strip, int e, int, int) { acc.v[own][strip][e] = x; });
}
template <class C, int R>
EFLOW_FN void fill(RowVec<C, R>& vec, C x) {
  each_row<R>([&](int own, int half, int) { vec.v[own][half] = x; });
}
template <class C, int N>
EFLOW_FN void fill(ColVec<C, N>& vec, C x) {
  each_column<N>([&](int strip, int e, int) { vec.v[strip][e] = x; });
}

template <class T>
struct alignas(2 * sizeof(T)) Neighbours {
  T v[2];
};
template <class T, class C>
EFLOW_FN Neighbours<T> neighbours(C low, C high) {
  Neighbours<T> out;
  if constexpr (kIsBf16<T> && kArch >= 80) {
    const u32 pair = bf16_pair(low, high);
    __builtin_memcpy(&out, &pair, sizeof out);
  } else if constexpr (kSameType<T, f16> && kArch >= 80) {
    const u32 pair = f16_pair(low, high);
    __builtin_memcpy(&out, &pair, sizeof out);
  } else {
    out = {narrow<T>(low), narrow<T>(high)};
  }
  return out;
}

/// Loads sums from memory; 0 beyond the view. Here and below, out-of-range elements load a valid
/// address and are replaced: a branch per element would cost registers.
template <class C, int R, int N, class T>
EFLOW_FN void load(Acc<C, R, N>& acc, View<const T> view) {
  const int rows = limit(view.rows, R), columns = limit(view.columns, N);
  if (rows == 0 || columns == 0) return fill(acc, C(0));
  each_sum<R, N>([&](int own, int strip, int e, int row, int column) {
    const bool there = row < rows && column < columns;
    const C x = static_cast<C>(widen(view.p[there ? row * view.row_stride + column : 0]));
    acc.v[own][strip][e] = there ? x : C(0);
  });
}

/// Stores sums, rounded to T; writes only inside the view. Ends with a barrier, so the block may
/// read the result.
template <class T, class C, int R, int N>
EFLOW_FN void store(View<T> view, const Acc<C, R, N>& acc) {
  using Rows = Strips<R>;
  const int rows = limit(view.rows, R), columns = limit(view.columns, N);
  // Asked for each pair: a loop for each case would double the code, and the time to compile it.
  const bool in_pairs = columns % 2 == 0 && is_aligned(view, 2 * static_cast<int>(sizeof(T)));
  EFLOW_UNROLL
  for (int own = 0; own < Rows::kOwn; ++own) {
    EFLOW_UNROLL
    for (int half = 0; half < 2; ++half) {
      const int row = Rows::row(own, half);
      if (row >= rows) continue;
      T* const of_row = view.p + row * view.row_stride;
      EFLOW_UNROLL
      for (int strip = 0; strip < acc.kColumnStrips; ++strip) {
        const int column = column_of(strip);
        if (column >= columns) continue;
        const C* const sums = acc.v[own][strip] + 2 * half;
        const Neighbours<T> pair = neighbours<T>(sums[0], sums[1]);
        if (in_pairs) {
          *reinterpret_cast<Neighbours<T>*>(of_row + column) = pair;
        } else {
          of_row[column] = pair.v[0];
          if (column + 1 < columns) of_row[column + 1] = pair.v[1];
        }
      }
    }
  }
  block_barrier();
}

/// vec[r] = p[r * stride] for r < rows, otherwise `rest`.
template <class C, int R, class T>
EFLOW_FN void load(RowVec<C, R>& vec, const T* p, Index stride, Index rows, C rest) {
  const int there = limit(rows, R);
  if (there == 0) return fill(vec, rest);
  each_row<R>([&](int own, int half, int row) {
    const C x = static_cast<C>(widen(p[row < there ? row * stride : 0]));
    vec.v[own][half] = row < there ? x : rest;
  });
}
template <class T, class C, int R>
EFLOW_FN void store(T* p, Index stride, const RowVec<C, R>& vec, Index rows) {
  const int there = limit(rows, R);
  each_row<R>([&](int own, int half, int row) {
    if (lane_index() % 4 == 0 && row < there) p[row * stride] = narrow<T>(vec.v[own][half]);
  });
  block_barrier();
}

/// vec[j] = p[j * stride] for j < columns, otherwise `rest`.
template <class C, int N, class T>
EFLOW_FN void load(ColVec<C, N>& vec, const T* p, Index stride, Index columns, C rest) {
  const int there = limit(columns, N);
  if (there == 0) return fill(vec, rest);
  each_column<N>([&](int strip, int e, int column) {
    const C x = static_cast<C>(widen(p[column < there ? column * stride : 0]));
    vec.v[strip][e] = column < there ? x : rest;
  });
}
template <class T, class C, int N>
EFLOW_FN void store(T* p, Index stride, const ColVec<C, N>& vec, Index columns) {
  const int there = limit(columns, N);
  each_column<N>([&](int strip, int e, int column) {
    if (thread_index() < 4 && column < there) p[column * stride] = narrow<T>(vec.v[strip][e]);
  });
  block_barrier();
}

}  // namespace EFLOW_TEXT
