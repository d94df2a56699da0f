#pragma once
// Reductions and scans on the CPU: lanes are joined with each other at the end (reductions), or in
// log2(lanes) steps within a pack (scans). The interface is documented in tile/scan.h.

#include "eflow/kernels_src/tile/base/both.h"
#include "eflow/kernels_src/tile/cpu/lanes.h"

namespace EFLOW_TEXT {

/// A state in every lane.
template <class S>
EFLOW_FN auto splat_state(S s) {
  if constexpr (kIsBoth<S>)
    return both(splat_state(s.first), splat_state(s.second));
  else
    return splat<S>(s);
}
/// The state of one lane.
template <class S, class P>
EFLOW_FN S lane_state(const P& pack, Index lane) {
  if constexpr (kIsBoth<S>)
    return {lane_state<decltype(S::first)>(pack.first, lane),
            lane_state<decltype(S::second)>(pack.second, lane)};
  else
    return pack[lane];
}
/// Sets the lanes from `count` on to `rest`.
template <class P, class S>
EFLOW_FN void fill_lanes(P& pack, Index count, S rest) {
  if constexpr (kIsBoth<S>) {
    fill_lanes(pack.first, count, rest.first);
    fill_lanes(pack.second, count, rest.second);
  } else {
    for (Index l = count; l < kLanes<S>; ++l) pack[l] = rest;
  }
}
template <class L, class S, class F>
EFLOW_FN auto guarded_state(L i, S rest, F&& value) {
  decltype(splat_state(rest)) v = value(i);
  if constexpr (!L::full) fill_lanes(v, i.count, rest);
  return v;
}

template <class C, class S, class F, class Join>
EFLOW_FN S reduce_each(Index begin, Index end, S start, F&& value, Join&& join) {
  auto all = splat_state(start);
  each<C>(begin, end, [&](auto i) { all = join(all, guarded_state(i, start, value)); });
  S one = start;
  for (Index l = 0; l < kLanes<C>; ++l) one = join(one, lane_state<S>(all, l));
  return one;
}

#if defined(__clang__)
template <int... kAt>
struct LaneList {};
template <int kCount, int... kAt>
struct LaneListOf : LaneListOf<kCount - 1, kCount - 1, kAt...> {};
template <int... kAt>
struct LaneListOf<0, kAt...> {
  using type = LaneList<kAt...>;
};
template <int kBy, class P, int... kAt>
EFLOW_FN P shift_listed(P v, P rest, LaneList<kAt...>) {
  return __builtin_shufflevector(rest, v, (kAt < kBy ? kAt : int(sizeof...(kAt)) + kAt - kBy)...);
}
template <int kBy, class P>
EFLOW_FN P shift_lanes(P v, P rest) {
  return shift_listed<kBy>(v, rest, typename LaneListOf<int(sizeof(P) / sizeof(v[0]))>::type{});
}
#else
// g++ 12 takes a list of template arguments here for one number.
template <int kBy, class P>
EFLOW_FN P shift_lanes(P v, P rest) {
  constexpr int kCount = sizeof(P) / sizeof(v[0]);
  decltype(v < v) from{};
  EFLOW_UNROLL
  for (int l = 0; l < kCount; ++l) from[l] = l < kBy ? l : kCount + l - kBy;
  return __builtin_shuffle(rest, v, from);
}
#endif
/// The lanes moved up by kBy; `rest` in the first ones.
template <int kBy, class P>
EFLOW_FN P shifted(const P& v, const P& rest) {
  if constexpr (kIsBoth<P>)
    return both(shifted<kBy>(v.first, rest.first), shifted<kBy>(v.second, rest.second));
  else
    return shift_lanes<kBy>(v, rest);
}
/// Each lane joined with all before it.
template <class C, int kBy = 1, class P, class Join>
EFLOW_FN P prefixes(P v, const P& rest, Join&& join) {
  if constexpr (kBy < kLanes<C>)
    return prefixes<C, 2 * kBy>(join(shifted<kBy>(v, rest), v), rest, join);
  else
    return v;
}

template <class C, class S, class F, class Join, class Put>
EFLOW_FN S scan_each(Index begin, Index end, S start, F&& value, Join&& join, Put&& put) {
  const auto rest = splat_state(start);
  S before = start;
  each<C>(begin, end, [&](auto i) {
    const auto up_to = prefixes<C>(guarded_state(i, start, value), rest, join);
    put(i, join(splat_state(before), up_to));
    before = join(before, lane_state<S>(up_to, kLanes<C> - 1));
  });
  return before;
}

template <class C, class S, class F, class Join>
EFLOW_FN S reduce_each(Team, Index begin, Index end, S start, F&& value, Join&& join) {
  return reduce_each<C>(begin, end, start, value, join);
}
template <class C, class S, class F, class Join, class Put>
EFLOW_FN S scan_each(Team, Index begin, Index end, S start, F&& value, Join&& join, Put&& put) {
  return scan_each<C>(begin, end, start, value, join, put);
}

}  // namespace EFLOW_TEXT
