#pragma once
// y = exp(x - max x) / sum, for rows of any width. A block takes several rows; on a GPU each warp
// takes one of them at a time. Rows of up to kMost elements are read once and kept in registers.
#include "eflow/kernels_src/tile/row.h"

namespace EFLOW_TEXT {

template <class T>
struct Softmax {
  const T* x;
  T* y;
  Index rows, width, per_block;
};

/// Grid: ceil(rows / per_block). kMost: at least the width, or 0 for any width.
template <class T, int kMost>
void softmax_rows(const Block& block, const Softmax<T>& a) {
  using C = Compute<T>;
  const Index first = block.x * a.per_block, last = min_of(first + a.per_block, a.rows);
  each_row(first, last, [&](Index r, Team team) {
    const T* const x = a.x + r * a.width;
    T* const y = a.y + r * a.width;
    if constexpr (kMost > 0) {
      auto row = keep_row<C, kMost>(block, team, a.width, [&](auto i) { return load<C>(x, i); });
      const C highest = row.max();
      row.map([&](auto v) { return exp(v - highest); });
      const C scale = C(1) / row.sum();
      row.each([&](auto i, auto v) { store(y, i, scale * v); });
    } else {
      const C highest = team.template max<C>(0, a.width, [&](auto i) { return load<C>(x, i); });
      const auto power = [&](auto i) { return exp(load<C>(x, i) - highest); };
      const C scale = C(1) / team.template sum<C>(0, a.width, power);
      team.template each<C>(0, a.width, [&](auto i) { store(y, i, scale * power(i)); });
    }
  });
}

}  // namespace EFLOW_TEXT
