#pragma once
// GLGA backward, first pass over a tile of queries: the gradients of both branches before their
// norms, of the gates, and of the norm weights (one row of partial sums per tile). The linear
// branch is recomputed from its state. Differentiates arXiv 2603.27086, Eq. 7 and 8.

#include "eflow/kernels_src/glga/norm_gate_grad.h"

namespace EFLOW_TEXT {

/// Grid: ceil(queries / kRowTile), heads, samples.
template <class T, class Form>
void glga_rows_grad(const Block& block, const Glga& a) {
  using C = Compute<T>;
  constexpr int M = Form::kRowTile, D = Form::kHead, P = kSumsSlice<D>;
  const Index row0 = block.x * M, head = block.z * a.heads + block.y;
  const View<const T> dy = glga_view<const T>(a.out, block, row0, a.queries, D);
  if constexpr (Form::kLocal != kNoLocal) {
    const View<const T> local = glga_view<const T>(a.local, block, row0, a.queries, D);
    const RowVec<C, M> delta = glga_branch_backward<Form, T>(
        a, block, 1, dy, glga_view<T>(a.d_local, block, row0, a.queries, D),
        [&](Acc<C, M, P>& x, Index p) { load(x, columns_of<P>(local, p)); });
    store(static_cast<C*>(a.delta) + head * a.queries + row0, 1, delta, a.queries - row0);
  }
  if constexpr (Form::kGlobal) {
    Arena arena(block);
    const auto q = alloc<T, M, D, Use::kLeft>(arena);
    const auto state = alloc<T, D, P, Use::kRight>(arena);
    const C* const s = static_cast<const C*>(a.state) + head * D * D;
    load(q, glga_view<const T>(a.q, block, row0, a.queries, D));
    glga_branch_backward<Form, T>(a, block, 0, dy,
                                  glga_view<T>(a.d_global, block, row0, a.queries, D),
                                  [&](Acc<C, M, P>& x, Index p) {
                                    load(state, View<const C>{s + p, D, D, P});
                                    set_AB(x, q, state);
                                  });
  }
}

}  // namespace EFLOW_TEXT
