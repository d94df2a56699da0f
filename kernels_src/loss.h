#pragma once
// Cross-entropy of rows of logits against labels, and its gradient. A block takes several rows.

#include "eflow/kernels_src/args/loss.h"
#include "eflow/kernels_src/tile/pack.h"

namespace EFLOW_TEXT {

using eflow::args::CrossEntropy;
using eflow::args::CrossEntropyGrad;

/// See CrossEntropy. Grid: ceil(rows / rows_per_block).
template <class T>
void cross_entropy(const Block& block, const CrossEntropy& a) {
  using C = Compute<T>;
  const Index first = block.x * a.rows_per_block;
  const Index last = min_of(first + a.rows_per_block, a.rows);
  for (Index r = first; r < last; ++r) {
    const T* x = static_cast<const T*>(a.logits) + r * a.stride;
    const C highest = max_each<C>(0, a.classes, [&](auto i) { return load<C>(x, i); });
    const C total = sum_each<C>(0, a.classes, [&](auto i) { return exp(load<C>(x, i) - highest); });
    const C rest = log(total);
    static_cast<C*>(a.log_sum)[r] = highest + rest;
    // This order of additions preserves the small loss of a confident row.
    static_cast<C*>(a.loss)[r] = (highest - static_cast<C>(widen(x[a.labels[r]]))) + rest;
  }
}

/// See CrossEntropyGrad. Grid: ceil(rows / rows_per_block).
template <class T>
void cross_entropy_grad(const Block& block, const CrossEntropyGrad& a) {
  using C = Compute<T>;
  const C scale = static_cast<C>(widen(*static_cast<const T*>(a.dloss))) / C(a.rows);
  const Index first = block.x * a.rows_per_block;
  const Index last = min_of(first + a.rows_per_block, a.rows);
  for (Index r = first; r < last; ++r) {
    const T* x = static_cast<const T*>(a.logits) + r * a.stride;
    T* dx = static_cast<T*>(a.dlogits) + r * a.classes;
    const C log_sum = static_cast<const C*>(a.log_sum)[r];
    const Pack<C> label = splat<C>(C(a.labels[r]));
    each<C>(0, a.classes, [&](auto i) {
      const Pack<C> hit = iota<C>(i) == label ? splat<C>(1) : Pack<C>{};
      store(dx, i, scale * (exp(load<C>(x, i) - log_sum) - hit));
    });
  }
}

}  // namespace EFLOW_TEXT
