#pragma once
// Packs: the one-dimensional half of the tile vocabulary. A text describes the operation on element
// i; `each` decides how many elements are processed at once. On the CPU a Pack<C> is one native
// vector, and `each` walks a range in whole vectors with one guarded tail. On a GPU a Pack<C> is a
// scalar, and the block's threads stride through the range.
//
//   each<C>(begin, end, [&](auto i) { store(y, i, exp(load<C>(x, i))); });
//   C total = sum_each<C>(begin, end, [&](auto i) { return load<C>(x, i); });
//
// On a GPU each of these calls is collective and ends with a barrier of the block (cuda/pack.h).
// NaN: sum_each, max_each and min_each, and sum, max and min of a Team, are NaN if one of the
// numbers is NaN, on every target; so are max_pack and min_pack. Which NaN is not defined. Without
// numbers, a sum is 0, a maximum the lowest C (-infinity) and a minimum the highest.
//
// Types: memory holds float, double, bf16, f16, e4m3, e5m2 (base/small_floats.h) or integers of 8 to
// 64 bits; load<C> and store convert by value, integers as C++ does (a number that does not fit the
// integer is undefined). bf16 is a type of its own: a short or unsigned short in memory is an integer.
// What is loaded or stored in each<C> has C's size, so that packs have the same number of elements;
// anything else does not compile. Elementary functions take float and double, as packs or single
// numbers.
//
// lanes.h adds masks, indices and atomic additions; scan.h reductions and scans with a join; row.h
// rows kept in registers; kernels_src/random_each.h random numbers. docs/kernels/vocabulary.md lists
// all words.
//
// Sums run in a fixed order for a given instruction set, so results do not depend on the number of
// threads.

#include "eflow/kernels_src/tile/base/types.h"
#if defined(EFLOW_GPU)
#include "eflow/kernels_src/tile/cuda/pack.h"
#else
#include "eflow/kernels_src/tile/cpu/pack.h"
#endif
#include "eflow/kernels_src/tile/base/math.h"
#include "eflow/kernels_src/tile/base/say.h"
