#pragma once
// Gradient of an embedding look-up: each table row sums the gradients of the output rows it was
// copied to. The caller has sorted those by table row, so each table row has one writer and the
// order of additions is fixed. A block takes several table rows. (The look-up itself is select_rows
// in tokens.h.)

#include "eflow/kernels_src/args/embedding.h"
#include "eflow/kernels_src/tile/pack.h"

namespace EFLOW_TEXT {

using eflow::args::EmbeddingGrad;

/// See EmbeddingGrad. Grid: ceil(rows / rows_per_block).
template <class T>
void embedding_grad(const Block& block, const EmbeddingGrad& a) {
  using C = Compute<T>;
  const Index first = block.x * a.rows_per_block;
  const Index last = min_of(first + a.rows_per_block, a.rows);
  for (Index r = first; r < last; ++r) {
    T* out = static_cast<T*>(a.dtable) + r * a.width;
    const Index begin = a.starts[r], end = a.starts[r + 1];
    each<C>(0, a.width, [&](auto i) {
      Pack<C> total{};
      for (Index k = begin; k < end; ++k) {
        total += load<C>(static_cast<const T*>(a.dy) + a.order[k] * a.dy_stride, i);
      }
      store(out, i, total);
    });
  }
}

}  // namespace EFLOW_TEXT
