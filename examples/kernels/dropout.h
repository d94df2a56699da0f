#pragma once
// y = x / (1 - p), or 0 with probability p. The mask is a function of the key, the sample and the
// index: the gradient runs the same text on dy instead of storing it.
#include "eflow/kernels_src/random_each.h"
#include "eflow/kernels_src/tile/lanes.h"

namespace EFLOW_TEXT {

template <class T>
struct Dropout {
  const T* x;
  T* y;
  Index count, per_block;  // per_block: a multiple of 64
  float p;
  unsigned key_low, key_high;
};

/// Grid: ceil(count / per_block), samples of `count` elements.
template <class T>
void dropout(const Block& block, const Dropout<T>& a) {
  using C = Compute<T>;
  const Index begin = block.x * a.per_block, end = min_of(begin + a.per_block, a.count);
  const T* const x = a.x + block.y * a.count;
  T* const y = a.y + block.y * a.count;
  const C p = C(a.p), scale = C(1) / (C(1) - p);
  random_each<C>({a.key_low, a.key_high}, static_cast<u64>(block.y), begin, end,
                 [&](auto i, auto u) { store(y, i, select(u < p, C(0), scale * load<C>(x, i))); });
}

}  // namespace EFLOW_TEXT
