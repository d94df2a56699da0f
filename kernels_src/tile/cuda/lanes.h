#pragma once
// Masked, indexed and atomic access on a GPU, where a pack is one number. The interface is
// documented in tile/lanes.h.

#include "eflow/kernels_src/tile/cuda/pack.h"

namespace EFLOW_TEXT {

template <class D, class V>
EFLOW_FN D cast(V x) {
  return static_cast<D>(x);
}
template <class A, class B>
EFLOW_FN auto select(bool m, A a, B b) {
  return m ? a : b;
}

template <class C, class T, class E>
EFLOW_FN C load_where(const T* p, Lane<E> i, bool m, C rest) {
  static_assert(kFitsLanes<C, Lane<E>>);
  return m ? static_cast<C>(widen(p[i.first])) : rest;
}
template <class T, class E, class C>
EFLOW_FN void store_where(T* p, Lane<E> i, bool m, C v) {
  if (m) p[i.first] = narrow<T>(number_of<E>(v));
}

template <class C, class T, class E, class I>
EFLOW_FN C gather(const T* p, Lane<E>, I index) {
  static_assert(kFitsLanes<C, Lane<E>> && kFitsLanes<I, Lane<E>>);
  return static_cast<C>(widen(p[index]));
}
template <class C, class T, class E, class I>
EFLOW_FN C gather(const T* p, Lane<E>, I index, bool m, C rest) {
  static_assert(kFitsLanes<C, Lane<E>> && kFitsLanes<I, Lane<E>>);
  return m ? static_cast<C>(widen(p[index])) : rest;
}
template <class T, class E, class I, class C>
EFLOW_FN void scatter(T* p, Lane<E>, I index, C v) {
  static_assert(kFitsLanes<I, Lane<E>>);
  p[index] = narrow<T>(number_of<E>(v));
}

template <class T, class E, class C>
EFLOW_FN void add_to(T* p, Lane<E> i, C v) {
  static_assert(kFitsLanes<C, Lane<E>> && sizeof(AtomicNumber<T>) > 0);
  atomic_add(p + i.first, static_cast<T>(v));
}
template <class T, class E, class I, class C>
EFLOW_FN void add_at(T* p, Lane<E>, I index, C v) {
  static_assert(kFitsLanes<C, Lane<E>> && kFitsLanes<I, Lane<E>> && sizeof(AtomicNumber<T>) > 0);
  atomic_add(p + index, static_cast<T>(v));
}

}  // namespace EFLOW_TEXT
