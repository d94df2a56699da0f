#pragma once
// A kept row on a GPU: every 32nd element in a lane's registers. The interface is documented in
// tile/row.h.

#include "eflow/kernels_src/tile/cuda/scan.h"

namespace EFLOW_TEXT {

template <class C, int kMost>
struct KeptRow {
  static constexpr int kOwn = (kMost + 31) / 32;
  Index width;
  C v[kOwn];

  template <class F>
  EFLOW_FN void each(F&& f) const {
    EFLOW_UNROLL
    for (int j = 0; j < kOwn; ++j) {
      const Index at = lane_index() + 32 * j;
      if (at < width) f(Lane<C>{at}, v[j]);
    }
  }
  template <class F>
  EFLOW_FN void map_at(F&& f) {
    EFLOW_UNROLL
    for (int j = 0; j < kOwn; ++j) {
      const Index at = lane_index() + 32 * j;
      if (at < width) v[j] = f(Lane<C>{at}, v[j]);
    }
  }
  template <class F>
  EFLOW_FN void map(F&& f) {
    map_at([&](auto, C x) { return f(x); });
  }
  template <class Join>
  EFLOW_FN C join(C start, Join&& both) const {
    each([&](auto, C x) { start = both(x, start); });
    return join_warp(start, both);
  }
  EFLOW_FN C sum() const {
    return join(C(0), [](C a, C b) { return a + b; });
  }
  EFLOW_FN C max() const {
    return join(lowest_of<C>(), [](C a, C b) { return max_pack(a, b); });
  }
  EFLOW_FN C min() const {
    return join(highest_of<C>(), [](C a, C b) { return min_pack(a, b); });
  }
};

template <class C, int kMost, class F>
EFLOW_FN KeptRow<C, kMost> keep_row(const Block&, Team, Index width, F&& value) {
  if (width > kMost) trap_without_room();
  KeptRow<C, kMost> row;
  row.width = width;
  EFLOW_UNROLL
  for (int j = 0; j < row.kOwn; ++j) {
    const Index at = lane_index() + 32 * j;
    row.v[j] = at < width ? value(Lane<C>{at}) : C(0);
  }
  return row;
}

}  // namespace EFLOW_TEXT
