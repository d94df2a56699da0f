#pragma once
// Partial query gradients of glga/band_grad.h: each chunk of keys owns one block of rows, d sums
// for each query that meets the chunk.

#include "eflow/kernels_src/glga/window.h"

namespace EFLOW_TEXT {

/// Rows of chunk `chunk`: queries [base, end). base is rounded down to a row tile, so every tile
/// that the chunk meets has all its rows here.
template <class Form, class C>
struct GlgaPart {
  Index base, end;
  C* p;

  EFLOW_FN GlgaPart(const Glga& a, const Block& block, Index chunk) {
    const GlgaRange<Form> range(a, block.z, a.keys, a.queries);
    const Index first = chunk * a.chunk, chunks = ceil_div(a.keys, a.chunk);
    base = range.low(first) / Form::kRowTile * Form::kRowTile;
    end = range.high(min_of(first + a.chunk, a.keys) - 1);
    const Index index = (block.z * a.heads + block.y) * chunks + chunk;
    p = static_cast<C*>(a.parts) + index * a.part_rows * Form::kHead;
  }

  /// Rows starting at query `first`.
  template <class V = C>
  EFLOW_FN View<V> rows(Index first) const {
    return {p + (first - base) * Form::kHead, Form::kHead, end - first, Form::kHead};
  }
};

}  // namespace EFLOW_TEXT
