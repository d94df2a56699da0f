#pragma once
// Walking a range in packs: `each` and its relatives, sums and other reductions, rows. Part of
// cpu/pack.h.

// Placed before a loop whose iterations are independent.
#if defined(__clang__)
#define EFLOW_INDEPENDENT _Pragma("clang loop vectorize(assume_safety)")
#else
#define EFLOW_INDEPENDENT _Pragma("GCC ivdep")
#endif

namespace EFLOW_TEXT {

template <class C, class F>
EFLOW_FN void each(Index begin, Index end, F&& f) {
  Index i = begin;
  for (; i + kLanes<C> <= end; i += kLanes<C>) f(FullLanes<C>{i});
  if (i >= end) return;
  if (end - i >= kLanes<C>) __builtin_unreachable();  // g++ warns of stores past a pack without it
  f(TailLanes<C>{i, end - i});
}

/// Calls f(l) for l = 0 .. kCount - 1 with f written for single numbers: vectorised over lanes
/// here, one thread per l on a GPU.
template <int kCount, class F>
EFLOW_FN void each_lane(F&& f) {
  EFLOW_INDEPENDENT
  for (int l = 0; l < kCount; ++l) f(l);
}

/// Calls f(i, l) for i in [begin, end) and l = 0 .. kCount - 1, as each_lane.
template <int kCount, class F>
EFLOW_FN void each_lane_of(Index begin, Index end, F&& f) {
  for (Index i = begin; i < end; ++i) {
    EFLOW_INDEPENDENT
    for (int l = 0; l < kCount; ++l) f(i, l);
  }
}

/// The lower and upper half of a vector, split in registers: a trip through memory would cost more
/// than the operation on them.
template <class V>
EFLOW_FN auto halves_of(V v) {
  using C = Bare<decltype(v[0])>;
  constexpr int kCount = sizeof(V) / sizeof(C);
  typedef C Half __attribute__((vector_size(sizeof(V) / 2)));
  struct Halves {
    Half low, high;
  };
  if constexpr (kCount > 16) {
    Halves halves;
    __builtin_memcpy(&halves, &v, sizeof v);
    return halves;
  } else if constexpr (kCount == 16) {
    return Halves{__builtin_shufflevector(v, v, 0, 1, 2, 3, 4, 5, 6, 7),
                  __builtin_shufflevector(v, v, 8, 9, 10, 11, 12, 13, 14, 15)};
  } else if constexpr (kCount == 8) {
    return Halves{__builtin_shufflevector(v, v, 0, 1, 2, 3),
                  __builtin_shufflevector(v, v, 4, 5, 6, 7)};
  } else {
    return Halves{__builtin_shufflevector(v, v, 0, 1), __builtin_shufflevector(v, v, 2, 3)};
  }
}

/// Joins the lanes of a vector by halves: a serial chain over the lanes would dominate short rows.
template <class C, class V, class Join>
EFLOW_FN C join_lanes(V v, Join&& join) {
  if constexpr (sizeof(V) / sizeof(C) == 2) {
    return join(C(v[0]), C(v[1]));
  } else {
    const auto half = halves_of(v);
    return join_lanes<C>(join(half.low, half.high), join);
  }
}
template <class C>
EFLOW_FN C sum_lanes(Pack<C> v) {
  return join_lanes<C>(v, [](auto a, auto b) { return a + b; });
}

/// f(i), with lanes beyond the range set to `rest`.
template <class C, class L, class F>
EFLOW_FN Pack<C> guarded(L i, C rest, F&& f) {
  Pack<C> v = f(i);
  if constexpr (!L::full) {
    for (Index l = i.count; l < kLanes<C>; ++l) v[l] = rest;
  }
  return v;
}

template <class C, class F>
EFLOW_FN C sum_each(Index begin, Index end, F&& f) {
  // Two running sums hide the latency of the additions.
  Pack<C> even{}, odd{};
  Index i = begin;
  for (; i + 2 * kLanes<C> <= end; i += 2 * kLanes<C>) {
    even += f(FullLanes<C>{i});
    odd += f(FullLanes<C>{i + kLanes<C>});
  }
  each<C>(i, end, [&](auto j) { even += guarded<C>(j, C(0), f); });
  return sum_lanes<C>(even + odd);
}

/// `start` joined with f(i) of every element, lane by lane and then over the lanes.
template <class C, class F, class Join>
EFLOW_FN C join_each(Index begin, Index end, C start, F&& f, Join&& join) {
  Pack<C> all = splat<C>(start);
  each<C>(begin, end, [&](auto i) { all = join(guarded<C>(i, start, f), all); });
  C one = start;
  for (Index l = 0; l < kLanes<C>; ++l) one = join(C(all[l]), one);
  return one;
}
template <class C, class F>
EFLOW_FN C max_each(Index begin, Index end, F&& f) {
  return join_each<C>(begin, end, lowest_of<C>(), f, [](auto a, auto b) { return max_pack(a, b); });
}
template <class C, class F>
EFLOW_FN C min_each(Index begin, Index end, F&& f) {
  return join_each<C>(begin, end, highest_of<C>(), f,
                      [](auto a, auto b) { return min_pack(a, b); });
}

/// put(i, value(i)) for each element. A GPU keeps several loads in flight.
template <class C, class F, class Put>
EFLOW_FN void each_value(Index begin, Index end, F&& value, Put&& put) {
  each<C>(begin, end, [&](auto i) { put(i, value(i)); });
}

/// The threads that share a row (each_row): on the CPU, the one thread of the block.
struct Team {
  template <class C, class F>
  EFLOW_FN void each(Index begin, Index end, F&& f) const {
    EFLOW_TEXT::each<C>(begin, end, f);
  }
  template <class C, class F, class Put>
  EFLOW_FN void each_value(Index begin, Index end, F&& value, Put&& put) const {
    EFLOW_TEXT::each_value<C>(begin, end, value, put);
  }
  template <class C, class F>
  EFLOW_FN C sum(Index begin, Index end, F&& f) const {
    return sum_each<C>(begin, end, f);
  }
  template <class C, class F>
  EFLOW_FN C max(Index begin, Index end, F&& f) const {
    return max_each<C>(begin, end, f);
  }
  template <class C, class F>
  EFLOW_FN C min(Index begin, Index end, F&& f) const {
    return min_each<C>(begin, end, f);
  }
};

/// f(row, team) for independent rows.
template <class F>
EFLOW_FN void each_row(Index first, Index last, F&& f) {
  for (Index r = first; r < last; ++r) f(r, Team{});
}

/// f(row, i) for the elements [begin, end) of every row. start(first) returns the first row, next(row)
/// advances it to the following one.
template <class C, class Start, class Next, class F>
EFLOW_FN void each_cell(Index first, Index last, Index begin, Index end, Start&& start, Next&& next,
                        F&& f) {
  auto row = start(first);
  for (Index r = first; r < last; ++r, next(row)) each<C>(begin, end, [&](auto i) { f(row, i); });
}

/// put(i, sum of f(i, r) over r < rows) for the elements i in [begin, end).
template <class C, class F, class Put>
EFLOW_FN void sum_columns(Index begin, Index end, Index rows, F&& f, Put&& put) {
  each<C>(begin, end, [&](auto i) {
    Pack<C> total{};
    for (Index r = 0; r < rows; ++r) total += f(i, r);
    put(i, total);
  });
}

}  // namespace EFLOW_TEXT
