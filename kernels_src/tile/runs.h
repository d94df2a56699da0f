#pragma once
// Runs: a GPU's thread takes N adjacent elements at a time, so that it reads and writes up to 16 bytes
// in one access. On the CPU, where a pack is as wide as a vector anyway, runs are the packs of pack.h.
//
//   constexpr int N = kRunOf<T, O>;                   for memory of these types
//   const bool aligned = is_aligned(x, y, ...) && is_whole<N>(width, x_stride, ...);
//   each_row<N>(first, last, aligned, [&](Index r, auto team) {
//     const C total = team.template sum<C>(0, width, [&](auto i) { return load<C>(x, i); });
//     team.template each_value<C>(0, width, [&](auto i) { return load<C>(x, i) / total; },
//                                 [&](auto i, auto v) { store(y, i, v); });
//   });
//   each_run<C, N>(begin, end, aligned, value, put);  put(i, value(i)), as each_value; begin: whole
//   sum_columns_run<C, N>(begin, end, rows, aligned, f, put);     as sum_columns
//   each_cell_run<C, N>(first, last, width, aligned, start, next, value, put);
//     put(row, i, value(row, i)) for the elements of every row, as each_cell
//   each_part<C>(team, parts, width, f);              as that of parts.h, for pairs: runs of N / 2 of them
//
// If not `aligned`, all of these take single elements. What load returns has the operators of a pack,
// but its type has to be `auto`: a Pack<C> is one number on a GPU. mapped(f, a, ...) calls f for each
// element of runs, and once for packs. A thread may evaluate several value() before it passes the first to put();
// updating in place is allowed.

#include "eflow/kernels_src/tile/parts.h"

namespace EFLOW_TEXT {

template <class... T>
constexpr int widest_bytes() {
  int widest = 1;
  ((widest = max_of(widest, static_cast<int>(sizeof(T)))), ...);
  return widest;
}
/// How many elements of the widest of these types take 16 bytes.
template <class... T>
inline constexpr int kRunOf = 16 / widest_bytes<T...>();

}  // namespace EFLOW_TEXT

#if defined(EFLOW_GPU)
#include "eflow/kernels_src/tile/cuda/runs.h"
#else
#include "eflow/kernels_src/tile/cpu/runs.h"
#endif
