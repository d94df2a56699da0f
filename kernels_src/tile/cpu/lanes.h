#pragma once
// Masked, indexed and atomic access on the CPU, element by element. The interface is documented in
// tile/lanes.h.

#include "eflow/kernels_src/tile/cpu/pack.h"

/// Whether the host runs all blocks on one thread: additions then need not be atomic. Set when a
/// compiled text is loaded (jit/host/module.cpp), so weak, to be found by name in each of them.
extern "C" {
__attribute__((weak, visibility("protected"))) bool eflow_one_thread = false;
}

namespace EFLOW_TEXT {

template <class D, class V>
EFLOW_FN auto cast(V x) {
  if constexpr (kIsNumber<V>) {
    return static_cast<D>(x);
  } else {
    static_assert(sizeof(LanesOfPack<sizeof(x[0]), sizeof(D)>) > 0);
    return __builtin_convertvector(x, Pack<D>);
  }
}

/// A number or a pack, as a pack.
template <class V>
EFLOW_FN auto pack_of(V x) {
  if constexpr (kIsNumber<V>)
    return splat<V>(x);
  else
    return x;
}

template <class M, class A, class B>
EFLOW_FN auto select(M m, A a, B b) {
  if constexpr (kIsNumber<M>)
    return m ? a : b;
  else if constexpr (kIsNumber<A> && !kIsNumber<B>)
    return m ? pack_of(static_cast<Bare<decltype(b[0])>>(a)) : b;
  else if constexpr (kIsNumber<B> && !kIsNumber<A>)
    return m ? a : pack_of(static_cast<Bare<decltype(a[0])>>(b));
  else
    return m ? pack_of(a) : pack_of(b);
}

template <class C, class T, class L, class M>
EFLOW_FN Pack<C> load_where(const T* p, L i, M m, C rest) {
  static_assert(kFitsLanes<C, L>);
  Pack<C> v = splat<C>(rest);
  for (Index l = 0; l < i.count; ++l) {
    if (m[l]) v[l] = static_cast<C>(widen(p[i.first + l]));
  }
  return v;
}
template <class T, class L, class M, class V>
EFLOW_FN void store_where(T* p, L i, M m, V v) {
  static_assert(kFitsLanes<Bare<decltype(v[0])>, L>);
  for (Index l = 0; l < i.count; ++l) {
    if (m[l]) p[i.first + l] = narrow<T>(v[l]);
  }
}

template <class C, class T, class L, class I>
EFLOW_FN Pack<C> gather(const T* p, L i, I index) {
  static_assert(kFitsLanes<C, L> && kFitsLanes<Bare<decltype(index[0])>, L>);
  Pack<C> v{};
  for (Index l = 0; l < i.count; ++l) v[l] = static_cast<C>(widen(p[index[l]]));
  return v;
}
template <class C, class T, class L, class I, class M>
EFLOW_FN Pack<C> gather(const T* p, L i, I index, M m, C rest) {
  static_assert(kFitsLanes<C, L> && kFitsLanes<Bare<decltype(index[0])>, L>);
  Pack<C> v = splat<C>(rest);
  for (Index l = 0; l < i.count; ++l) {
    if (m[l]) v[l] = static_cast<C>(widen(p[index[l]]));
  }
  return v;
}
template <class T, class L, class I, class V>
EFLOW_FN void scatter(T* p, L i, I index, V v) {
  static_assert(kFitsLanes<Bare<decltype(v[0])>, L> && kFitsLanes<Bare<decltype(index[0])>, L>);
  for (Index l = 0; l < i.count; ++l) p[index[l]] = narrow<T>(v[l]);
}

template <class T>
EFLOW_FN void atomic_add(T* p, T x) {
  static_assert(sizeof(AtomicNumber<T>) > 0);
  if (eflow_one_thread) {
    *p += x;
  } else if constexpr (kIsInteger<T>) {
    __atomic_fetch_add(p, x, __ATOMIC_RELAXED);
  } else {
    T old;
    __atomic_load(p, &old, __ATOMIC_RELAXED);
    for (T sum = old + x;
         !__atomic_compare_exchange(p, &old, &sum, true, __ATOMIC_RELAXED, __ATOMIC_RELAXED);)
      sum = old + x;
  }
}
template <class T, class L, class V>
EFLOW_FN void add_to(T* p, L i, V v) {
  using C = Bare<decltype(v[0])>;
  static_assert(kFitsLanes<C, L> && sizeof(AtomicNumber<T>) > 0);
  if (kSameType<T, C> && eflow_one_thread) return store(p, i, load<C>(p, i) + v);
  for (Index l = 0; l < i.count; ++l) atomic_add<T>(p + i.first + l, static_cast<T>(v[l]));
}
template <class T, class L, class I, class V>
EFLOW_FN void add_at(T* p, L i, I index, V v) {
  static_assert(kFitsLanes<Bare<decltype(v[0])>, L> && kFitsLanes<Bare<decltype(index[0])>, L>);
  for (Index l = 0; l < i.count; ++l) atomic_add<T>(p + index[l], static_cast<T>(v[l]));
}

}  // namespace EFLOW_TEXT
