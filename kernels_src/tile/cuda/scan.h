#pragma once
// Reductions and scans on a GPU: by butterflies within a warp, then over the warps in ascending
// order. The interface is documented in tile/scan.h.

#include "eflow/kernels_src/tile/base/both.h"
#include "eflow/kernels_src/tile/cuda/lanes.h"

namespace EFLOW_TEXT {

template <class S>
EFLOW_FN S shuffle_state(S s, int mask) {
  if constexpr (kIsBoth<S>)
    return {shuffle_state(s.first, mask), shuffle_state(s.second, mask)};
  else
    return shuffle_xor(s, mask);
}
/// All lanes' states joined, in every lane. The lower lane's is the first argument.
template <class S, class Join>
EFLOW_FN S join_warp(S s, Join&& join) {
  EFLOW_UNROLL
  for (int step = 1; step < 32; step *= 2) {
    const S other = shuffle_state(s, step);
    s = (lane_index() & step) != 0 ? join(other, s) : join(s, other);
  }
  return s;
}
/// A lane's state joined with those of all lanes before it, and all of them.
template <class S>
struct Prefix {
  S up_to, all;
};
template <class S, class Join>
EFLOW_FN Prefix<S> scan_warp(S s, Join&& join) {
  Prefix<S> out{s, s};
  EFLOW_UNROLL
  for (int step = 1; step < 32; step *= 2) {
    const S other = shuffle_state(out.all, step);
    if ((lane_index() & step) != 0) {
      out.up_to = join(other, out.up_to);
      out.all = join(other, out.all);
    } else {
      out.all = join(out.all, other);
    }
  }
  return out;
}

template <class C, class S, class F, class Join>
EFLOW_FN S reduce_each(Index begin, Index end, S start, F&& value, Join&& join) {
  EFLOW_SHARED S of_warp[kWarps];
  S own = start;
  for (Index i = begin + thread_index(); i < end; i += kThreads) own = join(own, value(Lane<C>{i}));
  own = join_warp(own, join);
  if (lane_index() == 0) of_warp[warp_index()] = own;
  block_barrier();
  S all = of_warp[0];
  for (int w = 1; w < kWarps; ++w) all = join(all, of_warp[w]);
  block_barrier();
  return all;
}

template <class C, class S, class F, class Join, class Put>
EFLOW_FN S scan_each(Index begin, Index end, S start, F&& value, Join&& join, Put&& put) {
  EFLOW_SHARED S of_warp[kWarps];
  S before = start;
  for (Index at = begin; at < end; at += kThreads) {
    const Lane<C> i{at + thread_index()};
    S own = start;
    if (i.first < end) own = value(i);
    const Prefix<S> prefix = scan_warp(own, join);
    if (lane_index() == 0) of_warp[warp_index()] = prefix.all;
    block_barrier();
    S warps_before = before;
    for (int w = 0; w < kWarps; ++w) {
      if (w == warp_index()) warps_before = before;
      before = join(before, of_warp[w]);
    }
    if (i.first < end) put(i, join(warps_before, prefix.up_to));
    block_barrier();
  }
  return before;
}

template <class C, class S, class F, class Join>
EFLOW_FN S reduce_each(Team, Index begin, Index end, S start, F&& value, Join&& join) {
  S own = start;
  for (Index i = begin + lane_index(); i < end; i += 32) own = join(own, value(Lane<C>{i}));
  return join_warp(own, join);
}
template <class C, class S, class F, class Join, class Put>
EFLOW_FN S scan_each(Team, Index begin, Index end, S start, F&& value, Join&& join, Put&& put) {
  S before = start;
  for (Index at = begin; at < end; at += 32) {
    const Lane<C> i{at + lane_index()};
    S own = start;
    if (i.first < end) own = value(i);
    const Prefix<S> prefix = scan_warp(own, join);
    if (i.first < end) put(i, join(before, prefix.up_to));
    before = join(before, prefix.all);
  }
  return before;
}

}  // namespace EFLOW_TEXT
