#pragma once
// A kept row on the CPU: an array of packs. The interface is documented in tile/row.h.

#include "eflow/kernels_src/tile/cpu/scan.h"

namespace EFLOW_TEXT {

template <class C, int kMost>
struct KeptRow {
  static constexpr Index kLane = kLanes<C>;
  Index width;
  Pack<C> v[(kMost + kLane - 1) / kLane];

  template <class F>
  EFLOW_FN void each(F&& f) const {
    EFLOW_TEXT::each<C>(0, width, [&](auto i) { f(i, v[i.first / kLane]); });
  }
  template <class F>
  EFLOW_FN void map_at(F&& f) {
    EFLOW_TEXT::each<C>(0, width, [&](auto i) { v[i.first / kLane] = f(i, v[i.first / kLane]); });
  }
  template <class F>
  EFLOW_FN void map(F&& f) {
    map_at([&](auto, auto x) { return f(x); });
  }
  EFLOW_FN C sum() const {
    return sum_each<C>(0, width, [&](auto i) { return v[i.first / kLane]; });
  }
  EFLOW_FN C max() const {
    return max_each<C>(0, width, [&](auto i) { return v[i.first / kLane]; });
  }
  EFLOW_FN C min() const {
    return min_each<C>(0, width, [&](auto i) { return v[i.first / kLane]; });
  }
};

template <class C, int kMost, class F>
EFLOW_FN KeptRow<C, kMost> keep_row(const Block& block, Team, Index width, F&& value) {
  constexpr Index kBytes = static_cast<Index>(sizeof(C));
  if (width > kMost) block.no_room(1, width, width * kBytes, kMost * kBytes, kMost * kBytes);
  KeptRow<C, kMost> row;
  row.width = width;
  each<C>(0, width, [&](auto i) { row.v[i.first / kLanes<C>] = value(i); });
  return row;
}

}  // namespace EFLOW_TEXT
