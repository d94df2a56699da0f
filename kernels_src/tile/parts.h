#pragma once
// Rows that consist of equal parts, such as heads, and rounding and waiting between the steps of a
// text that would otherwise be two launches.
//
//   each_part<C>(team, parts, width, [&](auto i, auto t) { ... });
//     for the elements of `parts` parts of `width` elements: t counts within a part, i over all of
//     them. A team's lanes take elements across parts, so short parts keep all of them busy.
//   rounded<T>(v): the numbers that would be loaded after store to a T.
//   wait_for_block(): later calls see the stores before it, those of each_row too.

#include "eflow/kernels_src/tile/pack.h"
#if defined(EFLOW_GPU)
#include "eflow/kernels_src/tile/cuda/parts.h"
#else
#include "eflow/kernels_src/tile/cpu/parts.h"
#endif
