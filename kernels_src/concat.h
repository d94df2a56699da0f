#pragma once
// Tensors joined along an axis, all in one launch. A block takes several rows of one part.

#include "eflow/kernels_src/args/concat.h"
#include "eflow/kernels_src/tile/runs.h"

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
  constexpr int kRun = kRunOf<T>;
  const bool aligned = is_aligned(x, y) && is_whole<kRun>(part.width, part.stride, a.y_stride);
  each_cell_run<Compute<T>, kRun>(
      first, min_of(first + a.rows_per_block, a.rows), part.width, aligned,
      [&](Index r) {
        return Row{x + r * part.stride, y + r * a.y_stride};
      },
      [&](Row& row) {
        row.x += part.stride;
        row.y += a.y_stride;
      },
      [&](const Row& row, auto i) { return load<Compute<T>>(row.x, i); },
      [&](const Row& row, auto i, auto v) { store(row.y, i, v); });
}

}  // namespace EFLOW_TEXT
