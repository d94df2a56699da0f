#pragma once
// Packs on the CPU: a pack is a vector of the machine's native width. Compilers lower wider ones
// through memory, which costs a factor of 60. The interface is documented in tile/pack.h. This file
// has the types and the conversions of single numbers, those included at its end the rest.

#include "eflow/kernels_src/tile/base/checks.h"
#include "eflow/kernels_src/tile/base/small_floats.h"

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

}  // namespace EFLOW_TEXT

#include "eflow/kernels_src/tile/cpu/pack_memory.h"

// After it: walks load and store packs.
#include "eflow/kernels_src/tile/cpu/pack_each.h"
