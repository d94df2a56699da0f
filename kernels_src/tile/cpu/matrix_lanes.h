#pragma once
// Joins the lanes of many rows at once: as many vectors as a vector has lanes become one vector of
// results, in a third of the instructions that joining them one by one takes. The lanes of a row are
// joined in the same order either way, halves first, so results do not depend on which is used.

#include "eflow/kernels_src/tile/cpu/pack.h"

namespace EFLOW_TEXT {

/// One half of each group of 2 kHalf lanes, of a and then of b: the lower halves for kFirst = 0, the
/// upper ones for kFirst = kHalf.
template <int kHalf, int kFirst, class V>
EFLOW_FN V group_halves(V a, V b) {
  constexpr int kCount = sizeof(V) / sizeof(LaneOf<V>);
#define EFLOW_FROM(l) (l) / kHalf * 2 * kHalf + (l) % kHalf + kFirst
#define EFLOW_FROM4(l) EFLOW_FROM(l), EFLOW_FROM(l + 1), EFLOW_FROM(l + 2), EFLOW_FROM(l + 3)
  if constexpr (kCount == 2)
    return __builtin_shufflevector(a, b, EFLOW_FROM(0), EFLOW_FROM(1));
  else if constexpr (kCount == 4)
    return __builtin_shufflevector(a, b, EFLOW_FROM4(0));
  else if constexpr (kCount == 8)
    return __builtin_shufflevector(a, b, EFLOW_FROM4(0), EFLOW_FROM4(4));
  else
    return __builtin_shufflevector(a, b, EFLOW_FROM4(0), EFLOW_FROM4(4), EFLOW_FROM4(8),
                                   EFLOW_FROM4(12));
#undef EFLOW_FROM4
#undef EFLOW_FROM
}

/// Joins the halves of each group of 2 kHalf lanes of `count` vectors, two vectors into one, until
/// a group is one lane and one vector is left.
template <int kHalf, class V, class Join>
EFLOW_FN V join_groups(V* v, Join&& join) {
  EFLOW_UNROLL for (int i = 0; i < kHalf; ++i) v[i] =
      join(group_halves<kHalf, 0>(v[2 * i], v[2 * i + 1]),
           group_halves<kHalf, kHalf>(v[2 * i], v[2 * i + 1]));
  if constexpr (kHalf == 1)
    return v[0];
  else
    return join_groups<kHalf / 2>(v, join);
}

/// to[r] = the joined lanes of row(r), for r < kRows.
template <class C, int kRows, class Row, class Join>
EFLOW_FN void join_lanes_of_rows(C* to, Row&& row, Join&& join) {
  constexpr int kCount = kLanes<C>, kWhole = kCount <= 16 ? kRows / kCount * kCount : 0;
  for (int first = 0; first < kWhole; first += kCount) {
    Pack<C> v[kCount];
    for (int r = 0; r < kCount; ++r) v[r] = row(first + r);
    store(to + first, FullLanes<C>{0}, join_groups<kCount / 2>(v, join));
  }
  for (int r = kWhole; r < kRows; ++r) to[r] = join_lanes<C>(row(r), join);
}

}  // namespace EFLOW_TEXT
