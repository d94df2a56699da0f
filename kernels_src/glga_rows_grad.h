#pragma once
// GLGA backward, first pass: for a tile of queries the gradients of both branches before their norms, of the gates and,
// as one row of partial sums a tile, of the norms' factors. The linear branch is computed again from its state.

#include "glga_branch.h"

namespace EFLOW_TEXT {

/// Grid: ceil(queries / kRowTile), heads, samples.
template <class T, class Form>
void glga_rows_grad(const Block& block, const Glga& a) {
  using C = Compute<T>;
  constexpr int M = Form::kRowTile, D = Form::kHead;
  constexpr int kGateWidth = Form::kGates == kChannelGates ? D : 1;
  const Index row0 = block.x * M;
  const View<const T> dy = glga_view<const T>(a.out, block, row0, a.queries, D);
  Acc<C, M, D> x, u;
  if constexpr (Form::kLocal != kNoLocal) {
    load(x, glga_view<const T>(a.local, block, row0, a.queries, D));
    load(u, dy);
    const RowVec<C, M> delta =
        glga_unfinish<Form>(x, u, GlgaBranch<T>(a, block, 1, row0, D),
                            GlgaBranchGrad<C>(a, block, 1, row0, kGateWidth, D));
    store(glga_view<T>(a.d_local, block, row0, a.queries, D), u);
    C* const out = static_cast<C*>(a.delta) + (block.z * a.heads + block.y) * a.queries + row0;
    store(out, 1, delta, a.queries - row0);
  }
  if constexpr (Form::kGlobal) {
    Arena arena(block);
    const auto q = alloc<T, M, D, Use::kLeft>(arena);
    const auto state = alloc<T, D, D, Use::kRight>(arena);
    load(q, glga_view<const T>(a.q, block, row0, a.queries, D));
    const C* const s = static_cast<const C*>(a.state) + (block.z * a.heads + block.y) * D * D;
    load(state, View<const C>{s, D, D, D});
    set_AB(x, q, state);
    load(u, dy);
    glga_unfinish<Form>(x, u, GlgaBranch<T>(a, block, 0, row0, D),
                        GlgaBranchGrad<C>(a, block, 0, row0, kGateWidth, D));
    store(glga_view<T>(a.d_global, block, row0, a.queries, D), u);
  }
}

}  // namespace EFLOW_TEXT
