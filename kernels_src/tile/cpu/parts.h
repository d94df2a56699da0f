#pragma once
// Parts of rows on the CPU. The interface is documented in tile/parts.h.

#include "eflow/kernels_src/tile/cpu/pack.h"

namespace EFLOW_TEXT {

template <class C, class F>
EFLOW_FN void each_part(Team, Index parts, Index width, F&& f) {
  for (Index part = 0; part < parts; ++part) {
    each<C>(0, width, [&](auto t) {
      auto i = t;
      i.first += part * width;
      f(i, t);
    });
  }
}

template <class T, class V>
EFLOW_FN V rounded(V v) {
  using C = Bare<decltype(v[0])>;
  if constexpr (kIsBf16<T> && kSameType<C, float>) {
    Words u;
    __builtin_memcpy(&u, &v, sizeof u);
    const Words nearest = (u + 0x7fffu + ((u >> 16) & 1u)) & 0xffff0000u;
    const Words quiet = (u & 0xffff0000u) | 0x400000u;
    const Words kept = v != v ? quiet : nearest;
    __builtin_memcpy(&v, &kept, sizeof v);
  } else if constexpr (!kSameType<T, C>) {
    for (Index l = 0; l < kLanes<C>; ++l) v[l] = static_cast<C>(widen(narrow<T>(v[l])));
  }
  return v;
}

EFLOW_FN void wait_for_block() {}

}  // namespace EFLOW_TEXT
