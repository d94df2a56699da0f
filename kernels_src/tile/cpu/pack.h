#pragma once
// Packs as vectors of the machine's native width. Compilers lower wider ones through memory, which
// costs a factor of 60.

#include "eflow/kernels_src/tile/base/checks.h"
#include "eflow/kernels_src/tile/base/small_floats.h"

// Placed before a loop whose iterations are independent.
#if defined(__clang__)
#define EFLOW_INDEPENDENT _Pragma("clang loop vectorize(assume_safety)")
#else
#define EFLOW_INDEPENDENT _Pragma("GCC ivdep")
#endif

namespace EFLOW_TEXT {

#if defined(__AVX512F__)
inline constexpr int kVectorBytes = 64;
#elif defined(__AVX2__)
inline constexpr int kVectorBytes = 32;
#else
inline constexpr int kVectorBytes = 16;
#endif

template <class C>
inline constexpr Index kLanes = kVectorBytes / static_cast<Index>(sizeof(C));

template <class C>
struct PackOf {
  typedef C type __attribute__((vector_size(kVectorBytes)));
};
template <class C>
using Pack = typename PackOf<C>::type;

/// Element type of a pack.
template <class V>
struct LaneOfPack {
  using type = Bare<decltype(V{}[0])>;
};
/// An i32 vector with one lane per lane of a float pack.
template <class V>
struct IntsOf {
  typedef i32 type __attribute__((vector_size(sizeof(V))));
};
// Single numbers, so that elementary functions also take them.
template <>
struct LaneOfPack<float> {
  using type = float;
};
template <>
struct LaneOfPack<double> {
  using type = double;
};
template <>
struct IntsOf<float> {
  using type = i32;
};

/// Elements [first, first + kLanes).
template <class C>
struct FullLanes {
  using Number = C;
  Index first;
  static constexpr Index count = kLanes<C>;
  static constexpr bool full = true;
};
/// Elements [first, first + count), count < kLanes: the tail of a range.
template <class C>
struct TailLanes {
  using Number = C;
  Index first;
  Index count;
  static constexpr bool full = false;
};

/// Refuses numbers of another size than those that each<C> counts in packs of.
template <class C, class L>
inline constexpr bool kFitsLanes = sizeof(LanesOfPack<sizeof(typename L::Number), sizeof(C)>) > 0;

template <class C>
EFLOW_FN Pack<C> splat(C value) {
  return value - Pack<C>{};
}

template <class V, class F>
EFLOW_FN V per_lane(V x, F&& f) {
  if constexpr (kIsFloat<V>) {
    return f(x);
  } else {
    for (int l = 0; l < static_cast<int>(sizeof(V) / sizeof(x[0])); ++l) x[l] = f(x[l]);
    return x;
  }
}

/// A pack of integral values as integers.
template <class V>
EFLOW_FN typename IntsOf<V>::type to_ints(V x) {
  if constexpr (kIsFloat<V>)
    return static_cast<i32>(x);
  else
    return __builtin_convertvector(x, typename IntsOf<V>::type);
}

EFLOW_FN float widen(bf16 x) {
  const u32 u = static_cast<u32>(x.bits) << 16;
  float f;
  __builtin_memcpy(&f, &u, 4);
  return f;
}
template <class T>
EFLOW_FN T widen(T x) {
  return x;
}

template <class T, class C>
EFLOW_FN T narrow(C x) {
  if constexpr (kIsBf16<T>) {
    u32 u;
    const float f = static_cast<float>(x);
    __builtin_memcpy(&u, &f, 4);
    const u32 rounded = (u + 0x7fffu + ((u >> 16) & 1u)) >> 16;
    return T{static_cast<u16>(f != f ? (u >> 16) | 0x40u : rounded)};
  } else if constexpr (kIsSmallFloat<T>) {
    return narrow_small<T>(static_cast<float>(x));
  } else {
    return static_cast<T>(x);
  }
}

typedef u16 HalfWords __attribute__((vector_size(kVectorBytes / 2)));
typedef u32 Words __attribute__((vector_size(kVectorBytes)));

/// Elements p[i], converted to C; lanes beyond the range are 0.
template <class C, class T, class L>
EFLOW_FN Pack<C> load(const T* p, L i) {
  static_assert(kFitsLanes<C, L>);
  Pack<C> v{};
  if constexpr (!L::full) {
    for (Index l = 0; l < i.count; ++l) v[l] = static_cast<C>(widen(p[i.first + l]));
  } else if constexpr (kSameType<T, C>) {
    __builtin_memcpy(&v, p + i.first, sizeof v);
  } else if constexpr (kIsBf16<T> && kSameType<C, float>) {
    HalfWords half;
    __builtin_memcpy(&half, p + i.first, sizeof half);
    const Words words = __builtin_convertvector(half, Words) << 16;
    __builtin_memcpy(&v, &words, sizeof v);
  } else if constexpr (kIsSmallFloat<T> && kSameType<C, float>) {
    typedef decltype(T::bits) Stored __attribute__((vector_size(kVectorBytes / 4 * sizeof(T))));
    Stored stored;
    __builtin_memcpy(&stored, p + i.first, sizeof stored);
    v = widen_bits<T, Pack<float>>(__builtin_convertvector(stored, Words));
  } else if constexpr (kSameType<T, float> && kSameType<C, double>) {
    typedef T Half __attribute__((vector_size(kVectorBytes / 2)));
    Half half;
    __builtin_memcpy(&half, p + i.first, sizeof half);
    v = __builtin_convertvector(half, Pack<C>);
  } else {
    for (Index l = 0; l < L::count; ++l) v[l] = static_cast<C>(widen(p[i.first + l]));
  }
  return v;
}

/// Elements p[i * stride], converted to C; lanes beyond the range are 0.
template <class C, class T, class L>
EFLOW_FN Pack<C> load_strided(const T* p, L i, Index stride) {
  static_assert(kFitsLanes<C, L>);
  if (stride == 1) return load<C>(p, i);
  Pack<C> v{};
  if (stride == 0) return splat<C>(static_cast<C>(widen(*p)));
  for (Index l = 0; l < i.count; ++l) v[l] = static_cast<C>(widen(p[(i.first + l) * stride]));
  return v;
}

template <class T, class L, class V>
EFLOW_FN void store(T* p, L i, V v) {
  using C = Bare<decltype(v[0])>;
  static_assert(kFitsLanes<C, L>);
  if constexpr (!L::full) {
    for (Index l = 0; l < i.count; ++l) p[i.first + l] = narrow<T>(v[l]);
  } else if constexpr (kSameType<T, C>) {
    __builtin_memcpy(p + i.first, &v, sizeof v);
  } else if constexpr (kIsBf16<T> && kSameType<C, float>) {
    Words u;
    __builtin_memcpy(&u, &v, sizeof u);
    const Words rounded = (u + 0x7fffu + ((u >> 16) & 1u)) >> 16;
    const Words quiet = (u >> 16) | 0x40u;
    const HalfWords half = __builtin_convertvector(v != v ? quiet : rounded, HalfWords);
    __builtin_memcpy(p + i.first, &half, sizeof half);
  } else if constexpr (kIsSmallFloat<T> && kSameType<C, float>) {
    typedef decltype(T::bits) Stored __attribute__((vector_size(kVectorBytes / 4 * sizeof(T))));
    const Stored stored = __builtin_convertvector(narrow_bits<T, Words>(v), Stored);
    __builtin_memcpy(p + i.first, &stored, sizeof stored);
  } else {
    for (Index l = 0; l < L::count; ++l) p[i.first + l] = narrow<T>(v[l]);
  }
}

template <class T, class L, class V>
EFLOW_FN void store_strided(T* p, L i, V v, Index stride) {
  if (stride == 1) return store(p, i, v);
  for (Index l = 0; l < i.count; ++l) p[(i.first + l) * stride] = narrow<T>(v[l]);
}

/// The pairs of elements 2i and 2i + 1.
template <class C>
struct PackPair {
  Pack<C> even, odd;
};

/// For many lanes: element by element.
template <class V>
EFLOW_FN auto pairs_of(V a, V b) {
  using C = Bare<decltype(a[0])>;
  const V both[2] = {a, b};
  C v[2 * kLanes<C>];
  __builtin_memcpy(v, both, sizeof v);
  PackPair<C> out;
  for (Index l = 0; l < kLanes<C>; ++l) {
    out.even[l] = v[2 * l];
    out.odd[l] = v[2 * l + 1];
  }
  return out;
}
template <class C>
EFLOW_FN PackPair<C> load_pairs(const auto* p, FullLanes<C> i) {
  const Pack<C> a = load<C>(p, FullLanes<C>{2 * i.first});
  const Pack<C> b = load<C>(p, FullLanes<C>{2 * i.first + kLanes<C>});
  if constexpr (kLanes<C> == 16) {
    return {
        __builtin_shufflevector(a, b, 0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30),
        __builtin_shufflevector(a, b, 1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23, 25, 27, 29, 31)};
  } else if constexpr (kLanes<C> == 8) {
    return {__builtin_shufflevector(a, b, 0, 2, 4, 6, 8, 10, 12, 14),
            __builtin_shufflevector(a, b, 1, 3, 5, 7, 9, 11, 13, 15)};
  } else if constexpr (kLanes<C> == 4) {
    return {__builtin_shufflevector(a, b, 0, 2, 4, 6), __builtin_shufflevector(a, b, 1, 3, 5, 7)};
  } else if constexpr (kLanes<C> == 2) {
    return {__builtin_shufflevector(a, b, 0, 2), __builtin_shufflevector(a, b, 1, 3)};
  } else {
    return pairs_of(a, b);
  }
}
template <class C>
EFLOW_FN PackPair<C> load_pairs(const auto* p, TailLanes<C> i) {
  PackPair<C> v{};
  for (Index l = 0; l < i.count; ++l) {
    v.even[l] = static_cast<C>(widen(p[2 * (i.first + l)]));
    v.odd[l] = static_cast<C>(widen(p[2 * (i.first + l) + 1]));
  }
  return v;
}

template <class C, class T>
EFLOW_FN void store_pairs(T* p, TailLanes<C> i, const PackPair<C>& v) {
  for (Index l = 0; l < i.count; ++l) {
    p[2 * (i.first + l)] = narrow<T>(v.even[l]);
    p[2 * (i.first + l) + 1] = narrow<T>(v.odd[l]);
  }
}

template <class C>
EFLOW_FN void store_pairs(auto* p, FullLanes<C> i, const PackPair<C>& v) {
  const Pack<C> a = v.even, b = v.odd;
  const FullLanes<C> low{2 * i.first}, high{2 * i.first + kLanes<C>};
  if constexpr (kLanes<C> == 16) {
    store(p, low,
          __builtin_shufflevector(a, b, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23));
    store(p, high,
          __builtin_shufflevector(a, b, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15,
                                  31));
  } else if constexpr (kLanes<C> == 8) {
    store(p, low, __builtin_shufflevector(a, b, 0, 8, 1, 9, 2, 10, 3, 11));
    store(p, high, __builtin_shufflevector(a, b, 4, 12, 5, 13, 6, 14, 7, 15));
  } else if constexpr (kLanes<C> == 4) {
    store(p, low, __builtin_shufflevector(a, b, 0, 4, 1, 5));
    store(p, high, __builtin_shufflevector(a, b, 2, 6, 3, 7));
  } else if constexpr (kLanes<C> == 2) {
    store(p, low, __builtin_shufflevector(a, b, 0, 2));
    store(p, high, __builtin_shufflevector(a, b, 1, 3));
  } else {
    store_pairs(p, TailLanes<C>{i.first, kLanes<C>}, v);
  }
}
/// The element indices themselves, as C.
template <class C, class L>
EFLOW_FN Pack<C> iota(L i) {
  static_assert(kFitsLanes<C, L>);
  Pack<C> v;
  for (Index l = 0; l < kLanes<C>; ++l) v[l] = static_cast<C>(l);
  return v + static_cast<C>(i.first);
}

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

/// Sums by halves: a serial chain over the lanes would dominate short rows.
template <class C, int kCount, class V>
EFLOW_FN C sum_halves(V v) {
  if constexpr (kCount == 2) {
    return v[0] + v[1];
  } else {
    const auto half = halves_of(v);
    return sum_halves<C, kCount / 2>(half.low + half.high);
  }
}
template <class C>
EFLOW_FN C sum_lanes(Pack<C> v) {
  return sum_halves<C, kLanes<C>>(v);
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
