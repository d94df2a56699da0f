#pragma once
// z = x + y. A block adds one slice of the vectors.
#include "eflow/kernels_src/tile/pack.h"

namespace EFLOW_TEXT {

template <class T>
struct VectorAdd {
  const T *x, *y;
  T* z;
  Index count, per_block;
};

/// Grid: ceil(count / per_block).
template <class T>
void vector_add(const Block& block, const VectorAdd<T>& a) {
  using C = Compute<T>;  // float for bf16
  const Index begin = block.x * a.per_block, end = min_of(begin + a.per_block, a.count);
  each<C>(begin, end, [&](auto i) { store(a.z, i, load<C>(a.x, i) + load<C>(a.y, i)); });
}

}  // namespace EFLOW_TEXT
