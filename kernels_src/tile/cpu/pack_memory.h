#pragma once
// Packs between memory and registers: whole vectors, and element by element in the tail of a range.
// Part of cpu/pack.h.

namespace EFLOW_TEXT {

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

/// to[i] = from[i], bit for bit.
template <class T, class L>
EFLOW_FN void copy(T* to, const T* from, L i) {
  if constexpr (L::full) {
    typedef u8 Bytes __attribute__((vector_size(kLanes<typename L::Number> * sizeof(T))));
    Bytes bytes;
    __builtin_memcpy(&bytes, from + i.first, sizeof bytes);
    __builtin_memcpy(to + i.first, &bytes, sizeof bytes);
  } else {
    for (Index l = 0; l < i.count; ++l) to[i.first + l] = from[i.first + l];
  }
}

template <class T, class L, class V>
EFLOW_FN void store_strided(T* p, L i, V v, Index stride) {
  if (stride == 1) return store(p, i, v);
  for (Index l = 0; l < i.count; ++l) p[(i.first + l) * stride] = narrow<T>(v[l]);
}

/// The pairs of elements 2i and 2i + 1.
template <class V>
struct Pair {
  V even, odd;
};
template <class C>
using PackPair = Pair<Pack<C>>;

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

}  // namespace EFLOW_TEXT
