#pragma once
// Sums over the middle axis of [outer, reduce, inner], in a fixed order.
//   inner = 1: each row is summed; a block takes several rows (block.x)
//   inner > 1: columns are summed row by row; a block takes several columns (block.x) of one
//              outer index (block.y)

#include "eflow/kernels_src/args/reduce.h"
#include "eflow/kernels_src/tile/runs.h"

namespace EFLOW_TEXT {

using eflow::args::Reduce;

/// The term of elements x and z.
template <int kTerms, class C, class T, class I>
EFLOW_FN auto reduce_term(const T* x, const T* z, I i) {
  const auto a = load<C>(x, i);
  if constexpr (kTerms == eflow::args::kProducts) {
    return a * load<C>(z, i);
  } else if constexpr (kTerms == eflow::args::kSquaredDifferences) {
    const auto d = a - load<C>(z, i);
    return d * d;
  } else {
    return a;
  }
}

/// T: stored type of x and z. Y: type of the result. kTerms: ReduceTerms.
template <class T, class Y, int kTerms>
void reduce_rows(const Block& block, const Reduce& a) {
  using C = Compute<T>;
  const Index first = block.x * a.outer_per_block;
  const Index last = min_of(first + a.outer_per_block, a.outer);
  const auto value = [&](Index row) {
    const T* x = static_cast<const T*>(a.x) + row * a.reduce;
    const T* z = a.z ? static_cast<const T*>(a.z) + row * a.reduce : nullptr;
    return [=](auto i) { return reduce_term<kTerms, C>(x, z, i); };
  };
  const auto put = [&](Index row, C total) {
    static_cast<Y*>(a.y)[row] = narrow<Y>(static_cast<Compute<Y>>(C(a.scale) * total));
  };
  if (last - first == 1) {  // one long row: the whole block sums it
    put(first, sum_each<C>(0, a.reduce, value(first)));
  } else {
    each_row(first, last,
             [&](Index row, Team team) { put(row, team.sum<C>(0, a.reduce, value(row))); });
  }
}

template <class T, class Y, int kTerms>
void reduce_columns(const Block& block, const Reduce& a) {
  using C = Compute<T>;
  const Index begin = block.x * a.inner_per_block;
  const Index end = min_of(begin + a.inner_per_block, a.inner);
  const T* x = static_cast<const T*>(a.x) + block.y * a.reduce * a.inner;
  const T* z = a.z ? static_cast<const T*>(a.z) + block.y * a.reduce * a.inner : nullptr;
  Y* y = static_cast<Y*>(a.y) + block.y * a.inner;
  constexpr int kRun = 2;
  sum_columns_run<C, kRun>(
      begin, end, a.reduce, is_aligned(x, z, y) && is_whole<kRun>(a.inner),
      [&](auto i, Index r) {
        return reduce_term<kTerms, C>(x + r * a.inner, z ? z + r * a.inner : nullptr, i);
      },
      [&](auto i, auto total) { store(y, i, C(a.scale) * total); });
}

template <class T, class Y, int kTerms>
void reduce(const Block& block, const Reduce& a) {
  if (a.inner == 1)
    reduce_rows<T, Y, kTerms>(block, a);
  else
    reduce_columns<T, Y, kTerms>(block, a);
}

}  // namespace EFLOW_TEXT
