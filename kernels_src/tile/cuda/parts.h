#pragma once
// Parts of rows on a GPU. The interface is documented in tile/parts.h.

#include "eflow/kernels_src/tile/cuda/pack.h"

namespace EFLOW_TEXT {

template <class C, class F>
EFLOW_FN void each_part(Team, Index parts, Index width, F&& f) {
  for (Index i = lane_index(); i < parts * width; i += 32)
    f(Lane<C>{i}, Lane<C>{divide(i, width).remainder});
}

template <class T, class C>
EFLOW_FN C rounded(C v) {
  if constexpr (kSameType<T, C>)
    return v;
  else
    return static_cast<C>(widen(narrow<T>(v)));
}

EFLOW_FN void wait_for_block() {
  block_barrier();
}

}  // namespace EFLOW_TEXT
