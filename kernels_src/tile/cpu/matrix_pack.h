#pragma once
// Packs operands into the order that cpu/matrix_kernel.h reads: for each step along k, a run of
// `width` operands that are adjacent along m (of A) or n (of B). The source has any strides and is
// converted to the operand type on the way. The two common layouts, contiguous along k and
// contiguous across it, are packed four by four in registers.

#include "eflow/kernels_src/tile/cpu/matrix_kernel.h"
#include "eflow/kernels_src/tile/cpu/matrix_transpose.h"

namespace EFLOW_TEXT {

template <class E>
struct QuadOf {
  typedef E type __attribute__((vector_size(4 * sizeof(E))));
};
template <>
struct QuadOf<Bf16Pair> {
  typedef u32 type __attribute__((vector_size(16)));
};
template <class E>
using Quad = typename QuadOf<E>::type;

/// A matrix of stored elements, addressed by step along k and position across.
template <class T>
struct PackSource {
  const T* p;
  Index across;  ///< stride between operands of one step
  Index along;   ///< stride along k

  EFLOW_FN PackSource from(Index w, Index k) const {
    return {p + w * across + k * along, across, along};
  }
};

EFLOW_FN Bf16Pair pair_of(bf16 even, bf16 odd) {
  return {static_cast<u32>(even.bits) | static_cast<u32>(odd.bits) << 16};
}

/// The operand at p. `whole`: all elements along k that it covers exist.
template <class E, class T>
EFLOW_FN E operand_at(const T* p, Index along, bool whole) {
  if constexpr (kDepth<E> == 2)
    return pair_of(narrow<bf16>(widen(*p)), whole ? narrow<bf16>(widen(p[along])) : bf16{0});
  else
    return static_cast<E>(widen(*p));
}

typedef u16 QuadHalves __attribute__((vector_size(8)));
typedef u32 QuadWords __attribute__((vector_size(16)));

EFLOW_FN QuadWords quad_words(const bf16* p) {
  QuadHalves h;
  __builtin_memcpy(&h, p, sizeof h);
  return __builtin_convertvector(h, QuadWords);
}

/// The same from floats, rounded to bf16.
EFLOW_FN QuadWords quad_words(const float* p) {
  QuadWords u;
  __builtin_memcpy(&u, p, sizeof u);
  const QuadWords rounded = (u + 0x7fffu + ((u >> 16) & 1u)) >> 16;
  return (u & 0x7fffffffu) > 0x7f800000u ? (u >> 16) | 0x40u : rounded;
}

/// The same from any other numbers.
template <class T>
EFLOW_FN QuadWords quad_words(const T* p) {
  float f[4];
  for (int i = 0; i < 4; ++i) f[i] = static_cast<float>(p[i]);
  return quad_words(static_cast<const float*>(f));
}

/// Four consecutive operands along k; requires along == 1.
template <class E, class T>
EFLOW_FN Quad<E> quad_along(const T* p) {
  Quad<E> q{};
  if constexpr (kIsBf16<T> && kSameType<E, float>) {
    const QuadWords words = quad_words(p) << 16;
    __builtin_memcpy(&q, &words, sizeof q);
  } else if constexpr (kSameType<T, E> || (kIsBf16<T> && kDepth<E> == 2)) {
    __builtin_memcpy(&q, p, sizeof q);
  } else {
    for (int i = 0; i < 4; ++i) {
      const E operand = operand_at<E>(p + i * kDepth<E>, 1, true);
      __builtin_memcpy(reinterpret_cast<char*>(&q) + i * sizeof operand, &operand, sizeof operand);
    }
  }
  return q;
}

/// Four operands of one step; requires across == 1.
template <class E, class T>
EFLOW_FN Quad<E> quad_across(const T* p, Index along) {
  if constexpr (kDepth<E> == 2)
    return quad_words(p) | quad_words(p + along) << 16;
  else
    return quad_along<E>(p);
}

/// Rounds a vector of floats to bf16. Subnormal values may become 0.
EFLOW_FN HalfWords bf16_halves(Pack<float> x) {
#if defined(__AVX512BF16__) && !defined(__clang__)  // whose builtin differs between versions
  const auto bits = __builtin_ia32_cvtneps2bf16_v16sf(x);
  HalfWords out;
  __builtin_memcpy(&out, &bits, sizeof out);
  return out;
#else
  Words u;
  __builtin_memcpy(&u, &x, sizeof u);
  const Words rounded = (u + 0x7fffu + ((u >> 16) & 1u)) >> 16;
  return __builtin_convertvector(x != x ? (u >> 16) | 0x40u : rounded, HalfWords);
#endif
}

template <class E>
EFLOW_FN void put(E* to, Quad<E> q) {
  __builtin_memcpy(to, &q, sizeof q);
}

/// Packs operands [w0, w1) of steps [k0, k1) one by one; `k` is the element count of the whole
/// strip.
template <class E, class T>
EFLOW_FN void pack_one_by_one(E* to, Index width, PackSource<T> s, Index w0, Index w1, Index k0,
                              Index k1, Index k) {
  for (Index i = k0; i < k1; ++i) {
    const T* const p = s.p + i * kDepth<E> * s.along;
    const bool whole = (i + 1) * kDepth<E> <= k;
    for (Index w = w0; w < w1; ++w)
      to[i * width + w] = operand_at<E>(p + w * s.across, s.along, whole);
  }
}

// Quads cover [0, valid), valid >= 4. If valid is not a multiple of 4, the last quad overlaps its
// neighbour.

/// Whether operands are packed sixteen by sixteen, as words that need no conversion.
template <class E, class T>
#if defined(__AVX512F__)
inline constexpr bool kPacksSixteens = sizeof(E) == 4 &&
                                       (kSameType<E, T> || (kIsBf16<T> && kDepth<E> == 2));
#else
inline constexpr bool kPacksSixteens = false;
#endif

/// Packs sixteen steps of a source that is contiguous along k, sixteen operands at a time as far as
/// whole vectors and equal types allow. Returns the number of operands packed.
template <class E, class T>
EFLOW_FN Index pack_sixteens([[maybe_unused]] E* to, [[maybe_unused]] Index width,
                             [[maybe_unused]] PackSource<T> s, [[maybe_unused]] Index valid) {
  Index at = 0;
#if defined(__AVX512F__)
  if constexpr (kPacksSixteens<E, T>) {
    for (; at + 16 <= valid; at += 16) {
      Words q[16];
      EFLOW_UNROLL for (int r = 0; r < 16; ++r) {
        const T* const p = s.p + (at + r) * s.across;
        // The next strip begins where this one ends, on pages not yet touched.
        __builtin_prefetch(p + width * s.across, 0, 2);
        __builtin_memcpy(&q[r], p, sizeof q[r]);
      }
      transpose(q);
      EFLOW_UNROLL for (int r = 0; r < 16; ++r)
          __builtin_memcpy(to + r * width + at, &q[r], sizeof q[r]);
    }
  }
#endif
  return at;
}

/// Packs a source that is contiguous along k: sixteen steps at a time, one cache line of each
/// source row.
template <class E, class T>
EFLOW_FN void pack_transposed(E* to, Index width, PackSource<T> s, Index valid, Index k) {
  const Index steps = k / kDepth<E> / 4 * 4;
  for (Index i0 = 0; i0 < steps; i0 += 16) {
    const Index i1 = min_of<Index>(i0 + 16, steps);
    Index at =
        i1 - i0 == 16 ? pack_sixteens(to + i0 * width, width, s.from(0, i0 * kDepth<E>), valid) : 0;
    for (; at < valid; at += 4) {
      const Index w = min_of(at, valid - 4);
      const T* const p = s.p + w * s.across;
      // Prefetches the next strip, which begins where this one ends, on pages not yet touched.
      for (int r = 0; r < 4; ++r)
        __builtin_prefetch(p + (r + width) * s.across + i0 * kDepth<E>, 0, 2);
      for (Index i = i0; i < i1; i += 4) {
        Quad<E> q[4];
        for (int r = 0; r < 4; ++r) q[r] = quad_along<E>(p + r * s.across + i * kDepth<E>);
        transpose(q);
        for (int r = 0; r < 4; ++r) put(to + (i + r) * width + w, q[r]);
      }
    }
  }
  pack_one_by_one(to, width, s, 0, valid, steps, ceil_div(k, kDepth<E>), k);
}

/// A vector of operands of one step; requires across == 1.
template <class E, class T>
EFLOW_FN void vector_across(E* to, const T* p, Index along) {
  if constexpr (kDepth<E> == 1) {
    store(to, FullLanes<E>{0}, load<E>(p, FullLanes<E>{0}));
  } else if constexpr (kIsBf16<T>) {
    HalfWords even, odd;
    __builtin_memcpy(&even, p, sizeof even);
    __builtin_memcpy(&odd, p + along, sizeof odd);
    const Words pairs = __builtin_convertvector(even, Words) | __builtin_convertvector(odd, Words)
                                                                   << 16;
    __builtin_memcpy(to, &pairs, sizeof pairs);
  } else {
    const HalfWords even = bf16_halves(load<float>(p, FullLanes<float>{0})),
                    odd = bf16_halves(load<float>(p + along, FullLanes<float>{0}));
    const Words pairs = __builtin_convertvector(even, Words) | __builtin_convertvector(odd, Words)
                                                                   << 16;
    __builtin_memcpy(to, &pairs, sizeof pairs);
  }
}

/// Packs a source that is contiguous across: `strips` adjacent strips at once, to use whole cache
/// lines of the source.
template <class E, class T>
EFLOW_FN void pack_straight(E* to, Index width, PackSource<T> s, Index valid, Index k,
                            Index strips) {
  constexpr Index kVector = kLanes<Sum<E>>;
  const Index steps = k / kDepth<E>, all = ceil_div(k, kDepth<E>);
  for (Index i = 0; i < steps; ++i) {
    const T* const p = s.p + i * kDepth<E> * s.along;
    for (Index strip = 0; strip < strips; ++strip) {
      E* const row = to + (strip * all + i) * width;
      const T* const from = p + strip * width;
      Index at = 0;
      for (; at + kVector <= valid; at += kVector) vector_across(row + at, from + at, s.along);
      for (; at < valid; at += 4) {
        const Index w = min_of(at, valid - 4);
        put(row + w, quad_across<E>(from + w, s.along));
      }
    }
  }
  for (Index strip = 0; strip < strips; ++strip) {
    pack_one_by_one(to + strip * all * width, width, PackSource<T>{s.p + strip * width, 1, s.along},
                    0, valid, steps, all, k);
  }
}

/// to[i][w] = operand w of step i, for ceil(k / depth) steps of `width` operands. Operands from
/// `valid` on are 0.
template <class E, class T>
__attribute__((noinline)) void pack_strip(E* to, Index width, PackSource<T> s, Index valid,
                                          Index k) {
  const Index steps = ceil_div(k, kDepth<E>);
  constexpr bool kQuadsAlong = kDepth<E> == 1 || kIsBf16<T>;
  if (s.across == 1 && valid >= 4)
    pack_straight(to, width, s, valid, k, 1);
  else if (kQuadsAlong && s.along == 1 && valid >= 4)
    pack_transposed(to, width, s, valid, k);
  else
    pack_one_by_one(to, width, s, 0, valid, 0, steps, k);
  if (valid < width) {
    for (Index i = 0; i < steps; ++i) {
      for (Index w = valid; w < width; ++w) to[i * width + w] = E{};
    }
  }
}

/// Packs a contiguous row of `columns` elements as operands along k, zero-filled to `count`
/// operands.
template <class E, class T>
EFLOW_FN void pack_row(E* to, const T* p, Index columns, Index count) {
  if constexpr (kDepth<E> == 2) {
    bf16* const out = reinterpret_cast<bf16*>(to);
    each<float>(0, columns, [&](auto i) {
      if constexpr (kIsBf16<T>) {
        copy(out, p, i);
      } else if constexpr (kSameType<T, float> && decltype(i)::full) {
        const HalfWords half = bf16_halves(load<float>(p, i));
        __builtin_memcpy(out + i.first, &half, sizeof half);
      } else {
        store(out, i, load<float>(p, i));
      }
    });
    if (columns % 2 != 0) out[columns] = bf16{0};
  } else {
    each<E>(0, columns, [&](auto i) { store(to, i, load<E>(p, i)); });
  }
  for (Index i = ceil_div(columns, kDepth<E>); i < count; ++i) to[i] = E{};
}

/// Packs columns of B as Panels(columns), back to back: the panel at column j begins at operand j *
/// steps.
template <class E, class T>
EFLOW_FN void pack_panels(E* to, PackSource<T> s, Index columns, Index k) {
  const Panels<E> panels(columns);
  const Index steps = ceil_div(k, kDepth<E>);
  for (Index panel = 0; panel < panels.count; ++panel) {
    const Index j = panels.begin(panel);
    const Index width = panels.width(panel) * kLanes<Sum<E>>;
    pack_strip(to + j * steps, width, s.from(j, 0), min_of(width, columns - j), k);
  }
}

/// Packs four adjacent runs of kKernelRows rows; the source is contiguous across.
template <class E, class T>
__attribute__((noinline)) void pack_four_runs(E* to, PackSource<T> s, Index k) {
  pack_straight(to, kKernelRows, s, kKernelRows, k, 4);
}

/// Packs rows of A in runs of kKernelRows, back to back.
template <class E, class T>
EFLOW_FN void pack_rows(E* to, PackSource<T> s, Index rows, Index k) {
  const Index steps = ceil_div(k, kDepth<E>);
  Index i = 0;
  if (s.across == 1) {
    for (; i + 4 * kKernelRows <= rows; i += 4 * kKernelRows) {
      pack_four_runs(to + i * steps, PackSource<T>{s.p + i, 1, s.along}, k);
    }
  }
  for (; i < rows; i += kKernelRows) {
    pack_strip(to + i * steps, kKernelRows, s.from(i, 0), min_of<Index>(kKernelRows, rows - i), k);
  }
}

}  // namespace EFLOW_TEXT
