#pragma once
// The gradient of looking rows up in a table: each table row adds up the gradients of the places it went to, which the
// caller has sorted by row, so that no two blocks write one row and the order of additions is fixed. (The look-up itself
// is select_rows of tokens.h.) A block takes some table rows.

#include "args/embedding.h"
#include "tile/pack.h"

namespace EFLOW_TEXT {

using eflow::args::EmbeddingGrad;

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
