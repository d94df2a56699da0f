#pragma once
// Packs: the one-dimensional half of the tile vocabulary. A text writes what happens to element i; `each` decides how many
// elements that is at once. On the CPU a Pack<C> is one native vector and `each` walks a range in whole vectors with one
// guarded tail; on a GPU a Pack<C> is a scalar and `each` is the block's threads striding through the range.
//
//   each<C>(begin, end, [&](auto i) { store(y, i, exp(load<C>(x, i))); });
//   C total = sum_each<C>(begin, end, [&](auto i) { return load<C>(x, i); });
//
// Sums run in one fixed order for a given instruction set, so results do not depend on the number of threads.

#include "tile/types.h"
#if defined(EFLOW_GPU)
#include "tile/pack_cuda.h"
#else
#include "tile/pack_cpu.h"
#endif
#include "tile/math.h"
