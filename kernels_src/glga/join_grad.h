#pragma once
// GLGA backward, query gradients after glga/band_grad.h: adds the partial sums of all key chunks in
// ascending order, so the result is the same for any number of threads.
//
//   dq = tau (sum of parts) + dA S^T
//
// dA is the gradient of the linear branch before its norm.

#include "eflow/kernels_src/glga/dq_partial.h"
#include "eflow/kernels_src/glga/state_product.h"

namespace EFLOW_TEXT {

/// Grid: ceil(queries / kRowTile), heads, samples.
template <class T, class Form>
void glga_join_grad(const Block& block, const Glga& a) {
  using C = Compute<T>;
  constexpr int M = Form::kRowTile, D = Form::kHead;
  const Index row0 = block.x * M;
  Acc<C, M, D> dq, more;
  fill(dq, C(0));
  for (Index chunk = 0; chunk < ceil_div(a.keys, a.chunk); ++chunk) {
    const GlgaPart<Form, C> part(a, block, chunk);
    if (row0 < part.base || row0 >= part.end) continue;
    load(more, part.template rows<const C>(row0));
    map(dq, more, [](auto x, auto y) { return x + y; });
  }
  map(dq, [&](auto x) { return x * C(a.scale); });
  if constexpr (Form::kGlobal) {
    const C* const s = static_cast<const C*>(a.state) + (block.z * a.heads + block.y) * D * D;
    const View<const T> d_global = glga_view<const T>(a.d_global, block, row0, a.queries, D);
    add_transposed_state_product(dq, Arena(block), d_global, s);
  }
  store(glga_view<T>(a.dq, block, row0, a.queries, D), dq);
}

}  // namespace EFLOW_TEXT
