#pragma once
// Packs on a GPU: a pack is one number, and the threads of the block stride through a range. `each`
// and the reductions are collective: every thread of the block calls them, and each call ends with
// a barrier, so later calls see earlier stores.

#include "tile/block_cuda.h"

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
struct Lane {
  Index first;
  static constexpr Index count = 1;
  static constexpr bool full = true;
};

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
  if constexpr (sizeof(T) == 2) {
    const float f = static_cast<float>(x);
    u32 u;
    __builtin_memcpy(&u, &f, sizeof u);
    const u32 rounded = (u + 0x7fffu + ((u >> 16) & 1u)) >> 16;
    return T{static_cast<u16>(f != f ? (u >> 16) | 0x40u : rounded)};
  } else {
    return static_cast<T>(x);
  }
}

template <class C, class T>
EFLOW_FN C load(const T* p, Lane i) {
  return static_cast<C>(widen(p[i.first]));
}
template <class C, class T>
EFLOW_FN C load_strided(const T* p, Lane i, Index stride) {
  return static_cast<C>(widen(p[i.first * stride]));
}
template <class T, class C>
EFLOW_FN void store(T* p, Lane i, C v) {
  p[i.first] = narrow<T>(v);
}
template <class T, class C>
EFLOW_FN void store_strided(T* p, Lane i, C v, Index stride) {
  p[i.first * stride] = narrow<T>(v);
}
template <class C>
EFLOW_FN C iota(Lane i) {
  return static_cast<C>(i.first);
}

/// The pair of elements 2i and 2i + 1.
template <class C>
struct PackPair {
  C even, odd;
};
template <class C, class T>
EFLOW_FN PackPair<C> load_pairs(const T* p, Lane i) {
  return {static_cast<C>(widen(p[2 * i.first])), static_cast<C>(widen(p[2 * i.first + 1]))};
}
template <class C, class T>
EFLOW_FN void store_pairs(T* p, Lane i, const PackPair<C>& v) {
  p[2 * i.first] = narrow<T>(v.even);
  p[2 * i.first + 1] = narrow<T>(v.odd);
}

template <class C, class F>
EFLOW_FN void each(Index begin, Index end, F&& f) {
  for (Index i = begin + thread_index(); i < end; i += kThreads) f(Lane{i});
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

/// Joins every thread's value and returns the result to all threads: a butterfly within each warp,
/// then over the warps in ascending order. The second barrier allows the next call to reuse
/// of_warp.
template <class C, class Join>
EFLOW_FN C reduce_block(C value, Join&& join) {
  EFLOW_SHARED C of_warp[kWarps];
  EFLOW_UNROLL
  for (int step = 16; step > 0; step /= 2) value = join(value, shuffle_xor(value, step));
  if (lane_index() == 0) of_warp[warp_index()] = value;
  block_barrier();
  C all = of_warp[0];
  for (int w = 1; w < kWarps; ++w) all = join(all, of_warp[w]);
  block_barrier();
  return all;
}

template <class C, class F>
EFLOW_FN C sum_each(Index begin, Index end, F&& f) {
  C sum = 0;
  for (Index i = begin + thread_index(); i < end; i += kThreads) sum += f(Lane{i});
  return reduce_block(sum, [](C a, C b) { return a + b; });
}

template <class C, class F>
EFLOW_FN C max_each(Index begin, Index end, F&& f) {
  C best = static_cast<C>(-__builtin_inff());
  for (Index i = begin + thread_index(); i < end; i += kThreads) {
    const C v = f(Lane{i});
    best = v > best ? v : best;
  }
  return reduce_block(best, [](C a, C b) { return a > b ? a : b; });
}

}  // namespace EFLOW_TEXT
