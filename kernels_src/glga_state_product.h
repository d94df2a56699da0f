#pragma once
// Rows of a head times the head's state, a d x d matrix. Where a block has no room for all of it, which is a wide head on a
// GPU, both come in slices of the channels that the product sums over.

#include "glga_form.h"

namespace EFLOW_TEXT {

/// Channels of a slice: all of them where the head is not wide, else a row of 64 bytes.
template <class T, int kHead>
inline constexpr int kStateSlice = kHead <= kWidestPair ? kHead : 64 / static_cast<int>(sizeof(T));

/// f(p) for the first channel of each slice of P, one after the other: overlapped, they would take each other's registers.
template <int P, class F>
EFLOW_FN void each_slice(int head, F&& f) {
  EFLOW_ONE_BY_ONE
  for (int p = 0; p < head; p += P) f(Index{p});
}

/// acc += x S. What it takes of the arena is free again behind it.
template <class T, class C, int M, int D>
EFLOW_FN void add_state_product(Acc<C, M, D>& acc, Arena arena, const View<const T>& x,
                                const C* state) {
  constexpr int P = kStateSlice<T, D>;
  const auto left = alloc<T, M, P, Use::kLeft>(arena);
  const auto right = alloc<T, P, D, Use::kRight>(arena);
  each_slice<P>(D, [&](Index p) {
    load(left, View<const T>{x.p + p, x.row_stride, x.rows, D - p});
    load(right, View<const C>{state + p * D, D, D - p, D});
    mma_AB(acc, left, right);
  });
}

/// acc += x S^T.
template <class T, class C, int M, int D>
EFLOW_FN void add_transposed_state_product(Acc<C, M, D>& acc, Arena arena, const View<const T>& x,
                                           const C* state) {
  constexpr int P = kStateSlice<T, D>;
  const auto left = alloc<T, M, P, Use::kLeft>(arena);
  const auto right = alloc<T, D, P, Use::kRightT>(arena);
  each_slice<P>(D, [&](Index p) {
    load(left, View<const T>{x.p + p, x.row_stride, x.rows, D - p});
    load(right, View<const C>{state + p, D, D, D - p});
    mma_ABt(acc, left, right);
  });
}

}  // namespace EFLOW_TEXT
