#pragma once
// Products of head rows with the head's state S, a d x d matrix. If a block cannot hold all of S
// (wide heads on a GPU), both operands are loaded in slices of the summed channels.

#include "eflow/kernels_src/tile/matrix.h"

namespace EFLOW_TEXT {

/// Channels per slice: the whole head unless it is wide, otherwise 64 bytes per row.
template <class T, int kHead>
inline constexpr int kStateSlice = kHead <= kWidestPair ? kHead : 64 / static_cast<int>(sizeof(T));

/// Calls f(p) for the first channel p of each slice of P channels. The loop is not unrolled:
/// overlapping slices would compete for registers.
template <int P, class F>
EFLOW_FN void each_slice(int head, F&& f) {
  EFLOW_ONE_BY_ONE
  for (int p = 0; p < head; p += P) f(Index{p});
}

/// acc += x S. Its arena allocations are released on return.
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
