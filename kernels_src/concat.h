#pragma once
// Tensors joined along an axis, all in one launch. A block takes several rows of one part.

#include "eflow/kernels_src/args/concat.h"
#include "eflow/kernels_src/tile/pack.h"

namespace EFLOW_TEXT {

using eflow::args::Concat;

/// See Concat. Grid: ceil(rows / rows_per_block), parts.
template <class T>
void concat(const Block& block, const Concat& a) {
  struct Row {
    const T* x;
    T* y;
  };
  const Concat::Part& part = a.parts[block.y];
  const T* x = static_cast<const T*>(part.x);
  T* y = static_cast<T*>(a.y) + part.begin;
  const Index first = block.x * a.rows_per_block;
  each_cell<Compute<T>>(
      first, min_of(first + a.rows_per_block, a.rows), 0, part.width,
      [&](Index r) {
        return Row{x + r * part.stride, y + r * a.y_stride};
      },
      [&](Row& row) {
        row.x += part.stride;
        row.y += a.y_stride;
      },
      [&](const Row& row, auto i) { store(row.y, i, load<Compute<T>>(row.x, i)); });
}

}  // namespace EFLOW_TEXT
