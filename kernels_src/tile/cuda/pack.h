#pragma once
// Packs on a GPU: a pack is one number, and the threads of the block stride through a range. `each`
// and the reductions are collective: every thread of the block calls them, and each call ends with
// a barrier, so later calls see earlier stores.

#include "eflow/kernels_src/tile/base/checks.h"
#include "eflow/kernels_src/tile/base/small_floats.h"
#include "eflow/kernels_src/tile/cuda/block.h"

namespace EFLOW_TEXT {

template <class C>
using Pack = C;
template <class C>
inline constexpr Index kLanes = 1;
template <class V>
struct LaneOfPack {
  using type = V;
};
template <class V>
struct IntsOf {
  using type = i32;
};

/// This thread's element.
template <class C>
struct Lane {
  using Number = C;
  Index first;
  static constexpr Index count = 1;
  static constexpr bool full = true;
};

/// Refuses numbers of another size than those that each<C> counts in packs of: they fit here, but
/// not on the CPU.
template <class C, class L>
inline constexpr bool kFitsLanes = sizeof(LanesOfPack<sizeof(typename L::Number), sizeof(C)>) > 0;

template <class C>
EFLOW_FN C splat(C value) {
  return value;
}

template <class V, class F>
EFLOW_FN V per_lane(V x, F&& f) {
  return f(x);
}

/// Integral values as integers.
template <class V>
EFLOW_FN i32 to_ints(V x) {
  return static_cast<i32>(x);
}

EFLOW_FN float widen(bf16 x) {
  const u32 u = static_cast<u32>(x.bits) << 16;
  float f;
  __builtin_memcpy(&f, &u, sizeof f);
  return f;
}
template <class T>
EFLOW_FN T widen(T x) {
  return x;
}

template <class T, class C>
EFLOW_FN T narrow(C x) {
  if constexpr (kIsBf16<T>) {
    return T{bf16_bits(static_cast<float>(x))};
  } else if constexpr (kIsSmallFloat<T>) {
    return narrow_small<T>(static_cast<float>(x));
  } else {
    return static_cast<T>(x);
  }
}

template <class C, class T, class E>
EFLOW_FN C load(const T* p, Lane<E> i) {
  static_assert(kFitsLanes<C, Lane<E>>);
  return static_cast<C>(widen(p[i.first]));
}
template <class C, class T, class E>
EFLOW_FN C load_strided(const T* p, Lane<E> i, Index stride) {
  static_assert(kFitsLanes<C, Lane<E>>);
  return static_cast<C>(widen(p[i.first * stride]));
}
/// A number of each<E>. C++ computes integers of 8 and 16 bits as int; they wrap as E, as packs do.
template <class E, class C>
EFLOW_FN auto number_of(C v) {
  if constexpr (kIsInteger<E> && sizeof(E) < sizeof(int) && kSameType<C, int>) {
    return static_cast<E>(v);
  } else {
    static_assert(kFitsLanes<C, Lane<E>>);
    return v;
  }
}
template <class T, class C, class E>
EFLOW_FN void store(T* p, Lane<E> i, C v) {
  p[i.first] = narrow<T>(number_of<E>(v));
}
/// to[i] = from[i], bit for bit.
template <class T, class E>
EFLOW_FN void copy(T* to, const T* from, Lane<E> i) {
  to[i.first] = from[i.first];
}
template <class T, class C, class E>
EFLOW_FN void store_strided(T* p, Lane<E> i, C v, Index stride) {
  p[i.first * stride] = narrow<T>(number_of<E>(v));
}
template <class C, class E>
EFLOW_FN C iota(Lane<E> i) {
  static_assert(kFitsLanes<C, Lane<E>>);
  return static_cast<C>(i.first);
}

/// The pair of elements 2i and 2i + 1.
template <class V>
struct Pair {
  V even, odd;
};
template <class C>
using PackPair = Pair<Pack<C>>;
template <class C, class T>
EFLOW_FN PackPair<C> load_pairs(const T* p, Lane<C> i) {
  return {static_cast<C>(widen(p[2 * i.first])), static_cast<C>(widen(p[2 * i.first + 1]))};
}
template <class C, class T>
EFLOW_FN void store_pairs(T* p, Lane<C> i, const Pair<C>& v) {
  p[2 * i.first] = narrow<T>(v.even);
  p[2 * i.first + 1] = narrow<T>(v.odd);
}

template <class C, class F>
EFLOW_FN void each(Index begin, Index end, F&& f) {
  for (Index i = begin + thread_index(); i < end; i += kThreads) f(Lane<C>{i});
  block_barrier();
}

/// Calls f(l) for l = 0 .. kCount - 1 with f written for single numbers: vectorised over lanes on
/// the CPU, one thread per l here.
template <int kCount, class F>
EFLOW_FN void each_lane(F&& f) {
  for (int l = thread_index(); l < kCount; l += kThreads) f(l);
  block_barrier();
}

/// Calls f(i, l) for i in [begin, end) and l = 0 .. kCount - 1, as each_lane.
template <int kCount, class F>
EFLOW_FN void each_lane_of(Index begin, Index end, F&& f) {
  for (Index n = begin * kCount + thread_index(); n < end * kCount; n += kThreads)
    f(n / kCount, static_cast<int>(n % kCount));
  block_barrier();
}

/// The values of a warp's lanes joined: a butterfly, so every lane ends with the same number.
template <class C, class Join>
EFLOW_FN C join_lanes(C value, Join&& both) {
  EFLOW_UNROLL
  for (int step = 16; step > 0; step /= 2) value = both(value, shuffle_xor(value, step));
  return value;
}

/// Joins every thread's value and returns the result to all threads: a butterfly within each warp,
/// then over the warps in ascending order. The second barrier allows the next call to reuse
/// of_warp.
template <class C, class Join>
EFLOW_FN C reduce_block(C value, Join&& join) {
  EFLOW_SHARED C of_warp[kWarps];
  value = join_lanes(value, join);
  if (lane_index() == 0) of_warp[warp_index()] = value;
  block_barrier();
  C all = of_warp[0];
  for (int w = 1; w < kWarps; ++w) all = join(all, of_warp[w]);
  block_barrier();
  return all;
}

/// put(i, value(i)) for the lanes at, at + step, ... below end. value() is evaluated for kInFlight of
/// them before the first is passed to put(), so that so many loads are in flight.
template <int kInFlight, class L, class F, class Put>
EFLOW_FN void each_in_flight(Index at, Index end, Index step, F&& value, Put&& put) {
  for (; at + (kInFlight - 1) * step < end; at += kInFlight * step) {
    decltype(value(L{at})) v[kInFlight];
    EFLOW_UNROLL
    for (int j = 0; j < kInFlight; ++j) v[j] = value(L{at + j * step});
    EFLOW_UNROLL
    for (int j = 0; j < kInFlight; ++j) put(L{at + j * step}, v[j]);
  }
  for (; at < end; at += step) put(L{at}, value(L{at}));
}

/// put(i, value(i)) for each element. A thread evaluates value() for four elements before it passes
/// the first to put(), so that four loads are in flight. Updating in place is allowed, because a
/// thread reads an element before it writes it. Collective, as `each`.
template <class C, class F, class Put>
EFLOW_FN void each_value(Index begin, Index end, F&& value, Put&& put) {
  each_in_flight<4, Lane<C>>(begin + thread_index(), end, kThreads, value, put);
  block_barrier();
}

/// The threads that share a row (each_row): a warp. Its members are collective over the warp.
struct Team {
  template <class C, class F>
  EFLOW_FN void each(Index begin, Index end, F&& f) const {
    for (Index i = begin + lane_index(); i < end; i += 32) f(Lane<C>{i});
  }
  template <class C, class F, class Put>
  EFLOW_FN void each_value(Index begin, Index end, F&& value, Put&& put) const {
    each_in_flight<4, Lane<C>>(begin + lane_index(), end, 32, value, put);
  }
  template <class C, class F>
  EFLOW_FN C sum(Index begin, Index end, F&& f) const {
    C sum = 0;
    for (Index i = begin + lane_index(); i < end; i += 32) sum += f(Lane<C>{i});
    return join_lanes(sum, [](C a, C b) { return a + b; });
  }
  template <class C, class F>
  EFLOW_FN C max(Index begin, Index end, F&& f) const {
    C best = lowest_of<C>();
    for (Index i = begin + lane_index(); i < end; i += 32) best = max_pack(C(f(Lane<C>{i})), best);
    return join_lanes(best, [](C a, C b) { return max_pack(a, b); });
  }
  template <class C, class F>
  EFLOW_FN C min(Index begin, Index end, F&& f) const {
    C best = highest_of<C>();
    for (Index i = begin + lane_index(); i < end; i += 32) best = min_pack(C(f(Lane<C>{i})), best);
    return join_lanes(best, [](C a, C b) { return min_pack(a, b); });
  }
};

/// f(row, team) for independent rows, which are dealt to the warps in turn. No barrier.
template <class F>
EFLOW_FN void each_row(Index first, Index last, F&& f) {
  for (Index r = first + warp_index(); r < last; r += kWarps) f(r, Team{});
}

/// f(row, i) for the elements [begin, end) of every row, where start(r) returns row r. Threads take
/// elements across rows, so short rows keep all of them busy; the CPU walks row by row with next(row).
template <class C, class Start, class Next, class F>
EFLOW_FN void each_cell(Index first, Index last, Index begin, Index end, Start&& start, Next&&,
                        F&& f) {
  const Index width = end - begin;
  const Index count = (last - first) * width;
  for (Index n = thread_index(); n < count; n += kThreads) {
    const Division at = divide(n, width);
    f(start(first + at.quotient), Lane<C>{begin + at.remainder});
  }
  block_barrier();
}

/// put(i, sum of f(i, r) over r < rows) for the elements i in [begin, end). For 32 columns at a time,
/// warp w sums the rows w, w + kWarps, ...; then the first warp adds the warps' sums in order.
template <class C, class F, class Put>
EFLOW_FN void sum_columns(Index begin, Index end, Index rows, F&& f, Put&& put) {
  EFLOW_SHARED C parts[kWarps][32];
  for (Index at = begin; at < end; at += 32) {
    const Lane<C> i{at + lane_index()};
    C total = 0;
    if (i.first < end) {
      for (Index r = warp_index(); r < rows; r += kWarps) total += f(i, r);
    }
    parts[warp_index()][lane_index()] = total;
    block_barrier();
    if (warp_index() == 0 && i.first < end) {
      C all = parts[0][lane_index()];
      for (int w = 1; w < kWarps; ++w) all += parts[w][lane_index()];
      put(i, all);
    }
    block_barrier();
  }
}

template <class C, class F>
EFLOW_FN C sum_each(Index begin, Index end, F&& f) {
  C sum = 0;
  for (Index i = begin + thread_index(); i < end; i += kThreads) sum += f(Lane<C>{i});
  return reduce_block(sum, [](C a, C b) { return a + b; });
}

template <class C, class F>
EFLOW_FN C max_each(Index begin, Index end, F&& f) {
  C best = lowest_of<C>();
  for (Index i = begin + thread_index(); i < end; i += kThreads)
    best = max_pack(C(f(Lane<C>{i})), best);
  return reduce_block(best, [](C a, C b) { return max_pack(a, b); });
}
template <class C, class F>
EFLOW_FN C min_each(Index begin, Index end, F&& f) {
  C best = highest_of<C>();
  for (Index i = begin + thread_index(); i < end; i += kThreads)
    best = min_pack(C(f(Lane<C>{i})), best);
  return reduce_block(best, [](C a, C b) { return min_pack(a, b); });
}

}  // namespace EFLOW_TEXT
