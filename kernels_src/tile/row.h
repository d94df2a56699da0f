#pragma once
// Rows that are read once: keep_row holds a row of at most kMost elements in the registers of its
// team (CPU: in the first-level cache), so that several passes over it read memory once.
//
//   each_row(first, last, [&](Index r, Team team) {
//     auto row = keep_row<C, kMost>(block, team, width, [&](auto i) { return load<C>(x + r * width, i); });
//     const C highest = row.max();                       sum, max, min: as those of Team
//     row.map([&](auto v) { return exp(v - highest); }); map_at: f(i, v)
//     const C scale = 1 / row.sum();
//     row.each([&](auto i, auto v) { store(y + r * width, i, scale * v); });
//   });
//
// A row wider than kMost ends the launch with an error.

#include "eflow/kernels_src/tile/scan.h"
#if defined(EFLOW_GPU)
#include "eflow/kernels_src/tile/cuda/row.h"
#else
#include "eflow/kernels_src/tile/cpu/row.h"
#endif
