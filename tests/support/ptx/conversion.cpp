// cvt. Its types are in.from (of the result) and in.type (of the operand).
#include <cmath>
#include <limits>

#include "eflow/tests/support/half.hpp"
#include "eflow/tests/support/ptx/scalar.hpp"

namespace eflow::ptx {
namespace {

enum class Round { kNone, kNearest, kZero, kDown, kUp };

template <Round round, class T>
T rounded(T x) {
  switch (round) {
    case Round::kNearest:
      return std::nearbyint(x);
    case Round::kZero:
      return std::trunc(x);
    case Round::kDown:
      return std::floor(x);
    case Round::kUp:
      return std::ceil(x);
    case Round::kNone:
      break;
  }
  return x;
}

/// Floats become the nearest integer that D has; NaN becomes 0.
template <class D, class S, Round round>
D convert(S x) {
  if constexpr (std::is_floating_point_v<S> && std::is_integral_v<D>) {
    const S r = rounded<round>(x);
    using Limits = std::numeric_limits<D>;
    if (r != r) return 0;
    if (r < static_cast<S>(Limits::min())) return Limits::min();
    if (r >= std::ldexp(S(1), Limits::digits)) return Limits::max();
    return static_cast<D>(r);
  } else if constexpr (std::is_same_v<D, S> && std::is_floating_point_v<S>) {
    return rounded<round>(x);
  } else {
    return static_cast<D>(x);
  }
}

template <class S, Round round>
Run from(Type to) {
  if (to == Type{'f', 32}) return lanewise<float, convert<float, S, round>, S>;
  if (to == Type{'f', 64}) return lanewise<double, convert<double, S, round>, S>;
  const bool s = to.kind == 's';
  if (!s && to.kind != 'u') return nullptr;
  switch (to.bits) {
    case 8:
      return s ? lanewise<std::int8_t, convert<std::int8_t, S, round>, S>
               : lanewise<u8, convert<u8, S, round>, S>;
    case 16:
      return s ? lanewise<std::int16_t, convert<std::int16_t, S, round>, S>
               : lanewise<std::uint16_t, convert<std::uint16_t, S, round>, S>;
    case 32:
      return s ? lanewise<std::int32_t, convert<std::int32_t, S, round>, S>
               : lanewise<u32, convert<u32, S, round>, S>;
    default:
      return s ? lanewise<std::int64_t, convert<std::int64_t, S, round>, S>
               : lanewise<u64, convert<u64, S, round>, S>;
  }
}
template <class S>
Run from_float(Type to, std::vector<std::string>& words) {
  if (take(words, "rni")) return from<S, Round::kNearest>(to);
  if (take(words, "rzi")) return from<S, Round::kZero>(to);
  if (take(words, "rmi")) return from<S, Round::kDown>(to);
  if (take(words, "rpi")) return from<S, Round::kUp>(to);
  if (to.kind != 'f') return nullptr;
  take(words, "rn");
  return from<S, Round::kNone>(to);
}

/// Round to nearest, ties to even.
u32 bf16_bits(float x) {
  const u32 bits = as<u32>(bits_of(x));
  if (x != x) return 0x7fff;
  return (bits + 0x7fff + (bits >> 16 & 1)) >> 16;
}
/// 10 bits of fraction; to nearest, ties away from zero.
u32 tf32(float x) {
  return (as<u32>(bits_of(x)) + 0x1000) & 0xffffe000;
}

}  // namespace

Run decode_conversion(Instruction& in, const std::string& name, std::vector<std::string>& words) {
  if (name != "cvt") return nullptr;
  const Type to = in.from, of = in.type;
  if (to.kind == 'x' && take(words, "rn"))
    return lanewise<u32, [](float a, float b) { return bf16_bits(a) << 16 | bf16_bits(b); }, float,
                    float>;
  if (to.kind == 'y' && take(words, "rn"))
    return lanewise<
        u32, [](float a, float b) { return u32{test::f16_bits(a)} << 16 | test::f16_bits(b); },
        float, float>;
  if (to.kind == 'h' && take(words, "rn")) return lanewise<std::uint16_t, bf16_bits, float>;
  if (to.kind == 't' && take(words, "rna")) return lanewise<u32, tf32, float>;
  if (of == Type{'f', 32}) return from_float<float>(to, words);
  if (of == Type{'f', 64}) return from_float<double>(to, words);
  if (of.kind == 'h') return lanewise<u32, [](u32 x) { return x << 16; }, u32>;
  if (to.kind == 'f' && !take(words, "rn")) return nullptr;
  const bool s = of.kind == 's';
  if (!s && of.kind != 'u') return nullptr;
  switch (of.bits) {
    case 8:
      return s ? from<std::int8_t, Round::kNone>(to) : from<u8, Round::kNone>(to);
    case 16:
      return s ? from<std::int16_t, Round::kNone>(to) : from<std::uint16_t, Round::kNone>(to);
    case 32:
      return s ? from<std::int32_t, Round::kNone>(to) : from<u32, Round::kNone>(to);
    default:
      return s ? from<std::int64_t, Round::kNone>(to) : from<u64, Round::kNone>(to);
  }
}

}  // namespace eflow::ptx
