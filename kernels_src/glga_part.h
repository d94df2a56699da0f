#pragma once
// Where glga_band_grad.h adds up gradients of queries: a chunk of keys has a part of its own, rows of d sums for the queries
// that it meets.

#include "glga_form.h"

namespace EFLOW_TEXT {

/// Queries [base, end) have rows in the part; base is the first of a row tile, so that a tile has all its rows in it.
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

  /// Rows of queries from `first` on.
  template <class V = C>
  EFLOW_FN View<V> rows(Index first) const {
    return {p + (first - base) * Form::kHead, Form::kHead, end - first, Form::kHead};
  }
};

}  // namespace EFLOW_TEXT
