#pragma once
// Rows of a table by index, y[r] = table[index[r]], and the sums that go back, sums[index[r]] += y[r].
// Several r may have one index, so the additions are atomic: their order, and with it the last bits
// of float sums, differs from run to run.
#include "eflow/kernels_src/tile/lanes.h"

namespace EFLOW_TEXT {

template <class T>
struct GatherScatter {
  const T* table;
  const int* index;
  T* y;
  Compute<T>* sums;
  Index rows, width, per_block;
};

/// Grid: ceil(rows / per_block).
template <class T>
void gather_rows(const Block& block, const GatherScatter<T>& a) {
  using C = Compute<T>;
  const Index first = block.x * a.per_block, last = min_of(first + a.per_block, a.rows);
  each_row(first, last, [&](Index r, Team team) {
    const T* const from = a.table + a.index[r] * a.width;
    team.template each<C>(0, a.width, [&](auto i) { copy(a.y + r * a.width, from, i); });
  });
}

/// Grid as above.
template <class T>
void scatter_add(const Block& block, const GatherScatter<T>& a) {
  using C = Compute<T>;
  const Index first = block.x * a.per_block, last = min_of(first + a.per_block, a.rows);
  each_row(first, last, [&](Index r, Team team) {
    C* const to = a.sums + a.index[r] * a.width;
    team.template each<C>(0, a.width,
                          [&](auto i) { add_to(to, i, load<C>(a.y + r * a.width, i)); });
  });
}

}  // namespace EFLOW_TEXT
