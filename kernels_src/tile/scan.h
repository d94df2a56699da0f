#pragma once
// Reductions and scans with a join of the text's own.
//
//   S all = reduce_each<C>(begin, end, start, value, join)     value(i) of all elements, joined
//   S all = scan_each<C>(begin, end, start, value, join, put)  the same; put(i, prefix) receives the
//                                                              join of the elements up to i
//   reduce_each<C>(team, ...), scan_each<C>(team, ...)         the same in each_row, by its team
//
// `start` joined with x is x. join(a, b) is associative, where a belongs to elements before b's in a
// scan; in a reduction it also commutes. It is called with packs and with single numbers. A state S
// is a number C or, to carry several numbers of C's size, a Both: the largest number and its index are
//
//   const auto best = reduce_each<float>(
//       0, n, both(lowest_of<float>(), i32(0)),
//       [&](auto i) { return both(load<float>(x, i), iota<i32>(i)); },
//       [](auto a, auto b) {
//         const auto take = (b.first > a.first) | ((b.first == a.first) & (b.second < a.second));
//         return both(select(take, b.first, a.first), select(take, b.second, a.second));
//       });
//
// The order of the joins depends on the instruction set and on a GPU on the number of threads of a
// block, never on the number of blocks. On a GPU, the calls without a team are collective and end
// with a barrier; those with a team are collective over the team.

#include "eflow/kernels_src/tile/base/both.h"
#include "eflow/kernels_src/tile/lanes.h"
#if defined(EFLOW_GPU)
#include "eflow/kernels_src/tile/cuda/scan.h"
#else
#include "eflow/kernels_src/tile/cpu/scan.h"
#endif
