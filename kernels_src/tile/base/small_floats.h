#pragma once
// f16, e4m3 and e5m2: stored floats that are converted by integer operations, alike on every target.
// Conversions to float are exact. Conversions from float round to nearest, ties to even; numbers
// too large become infinity in f16 and the largest number in e4m3 and e5m2, as infinities do there.
// W are unsigned words and V floats: single ones, or packs of equal length.

#include "eflow/kernels_src/tile/base/types.h"

namespace EFLOW_TEXT {

/// Bits of exponent and fraction, and the largest number of a stored float.
template <class T>
struct SmallFloat;
template <>
struct SmallFloat<f16> {
  static constexpr int kBits = 16, kFraction = 10, kBias = 15;
  static constexpr u32 kMost = 0x7c00, kNan = 0x7e00;
};
template <>
struct SmallFloat<e4m3> {
  static constexpr int kBits = 8, kFraction = 3, kBias = 7;
  static constexpr u32 kMost = 0x7e, kNan = 0x7f;
};
template <>
struct SmallFloat<e5m2> {
  static constexpr int kBits = 8, kFraction = 2, kBias = 15;
  static constexpr u32 kMost = 0x7b, kNan = 0x7e;
};

template <class To, class From>
EFLOW_FN To same_bits(From from) {
  static_assert(sizeof(To) == sizeof(From));
  To to;
  __builtin_memcpy(&to, &from, sizeof to);
  return to;
}

/// The floats whose stored bits are in the words' low halves or quarters.
template <class T, class V, class W>
EFLOW_FN V widen_bits(W bits) {
  using F = SmallFloat<T>;
  constexpr u32 kSign = 1u << (F::kBits - 1);
  const W rest = bits & (kSign - 1);
  // As a float with the stored exponent, scaled: exact for subnormals, too.
  const V scale = V{} + same_bits<float>(static_cast<u32>(254 - F::kBias) << 23);
  W u = same_bits<W>(same_bits<V>(rest << (23 - F::kFraction)) * scale);
  if constexpr (kSameType<T, e4m3>)
    u = rest == F::kNan ? u | 0x7fc00000u : u;
  else
    u = rest >= (0x1fu << F::kFraction) ? u | 0x7f800000u : u;
  return same_bits<V>(u | (bits & kSign) << (32 - F::kBits));
}

/// The stored bits of floats.
template <class T, class W, class V>
EFLOW_FN W narrow_bits(V x) {
  using F = SmallFloat<T>;
  constexpr int kDropped = 23 - F::kFraction;
  constexpr u32 kLeastNormal = static_cast<u32>(128 - F::kBias) << 23;
  // A float whose last place is that of the subnormals: adding it rounds to one of them.
  constexpr u32 kRounder = static_cast<u32>(127 + 24 - F::kBias - F::kFraction) << 23;
  const W bits = same_bits<W>(x), all = bits & 0x7fffffffu;
  const W subnormal = same_bits<W>(same_bits<V>(all) + same_bits<float>(kRounder)) - kRounder;
  const W odd = all >> kDropped & 1u;
  const W normal =
      (all - (static_cast<u32>(127 - F::kBias) << 23) + ((1u << (kDropped - 1)) - 1) + odd) >>
      kDropped;
  W out = all < kLeastNormal ? subnormal : normal;
  out = out > F::kMost ? W{} + F::kMost : out;
  out = all > 0x7f800000u ? W{} + F::kNan : out;
  return out | (bits >> (32 - F::kBits) & (1u << (F::kBits - 1)));
}

EFLOW_FN float widen(f16 x) {
  return widen_bits<f16, float>(u32{x.bits});
}
EFLOW_FN float widen(e4m3 x) {
  return widen_bits<e4m3, float>(u32{x.bits});
}
EFLOW_FN float widen(e5m2 x) {
  return widen_bits<e5m2, float>(u32{x.bits});
}

template <class T>
EFLOW_FN T narrow_small(float x) {
  return {static_cast<decltype(T::bits)>(narrow_bits<T, u32>(x))};
}

}  // namespace EFLOW_TEXT
