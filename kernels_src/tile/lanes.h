#pragma once
// Masks, indices and atomic additions: what a text does with some elements of a pack, or with
// elements elsewhere. In each<C>(begin, end, [&](auto i) { ... }):
//
//   const auto m = x > y;                  a mask, of packs; on a GPU a bool. Join masks by & and |;
//                                          m == 0 is its opposite. `if` does not take a mask
//   select(m, a, b)                        a where m holds, b elsewhere: packs or single numbers
//   cast<D>(x)                             the numbers as D, of C's size: i32 of float, i64 of double
//   load_where<C>(p, i, m, rest)           elements p[i] where m holds, `rest` elsewhere: not read
//   store_where(p, i, m, v)                writes where m holds
//   gather<C>(p, i, index)                 elements p[index], one for each element i of the pack
//   gather<C>(p, i, index, m, rest)        the same where m holds, `rest` elsewhere: not read
//   scatter(p, i, index, v)                p[index] = v. Of equal indices, any one is stored
//   add_to(p, i, v), add_at(p, i, index, v)    p[i] += v, p[index] += v, each addition atomic
//
// An index is a pack of integers with C's number of elements: load<i32>(rows, i) in each<float>.
// Outside the range, indices and masks are not looked at.
//
// Sums made by atomic additions depend on their order, which differs from run to run: for integers
// the result is the same, for floats it is not. The gradients of this library use none.

#include "eflow/kernels_src/tile/pack.h"
#if defined(EFLOW_GPU)
#include "eflow/kernels_src/tile/cuda/lanes.h"
#else
#include "eflow/kernels_src/tile/cpu/lanes.h"
#endif
