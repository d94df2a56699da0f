#pragma once
// f16 on the host, by arithmetic on doubles: independent of the conversions of kernel texts.

#include <cmath>
#include <cstdint>
#include <limits>

namespace eflow::test {

/// The number of a stored float with `exponent` and `fraction` bits. Without infinities (e4m3), only
/// the pattern of ones is NaN.
inline double small_float_value(unsigned bits, int exponent, int fraction, bool infinities = true) {
  const int bias = (1 << (exponent - 1)) - 1, most = (1 << exponent) - 1;
  const unsigned mantissa = bits & ((1u << fraction) - 1);
  const int e = static_cast<int>(bits >> fraction) & most;
  const double sign = (bits >> (exponent + fraction) & 1u) != 0 ? -1 : 1;
  if (infinities && e == most)
    return mantissa != 0 ? std::numeric_limits<double>::quiet_NaN()
                         : sign * std::numeric_limits<double>::infinity();
  if (!infinities && e == most && mantissa == (1u << fraction) - 1)
    return std::numeric_limits<double>::quiet_NaN();
  const double whole = e == 0 ? 0 : 1;
  return sign * std::ldexp(whole + std::ldexp(mantissa, -fraction), (e == 0 ? 1 : e) - bias);
}
inline float f16_value(unsigned bits) {
  return static_cast<float>(small_float_value(bits & 0xffffu, 5, 10));
}

/// The nearest f16, ties to even.
inline std::uint16_t f16_bits(float x) {
  const unsigned sign = std::signbit(x) ? 0x8000u : 0u;
  if (x != x) return static_cast<std::uint16_t>(sign | 0x7e00u);
  const double all = std::abs(static_cast<double>(x));
  if (all == 0) return static_cast<std::uint16_t>(sign);
  if (all >= 65520) return static_cast<std::uint16_t>(sign | 0x7c00u);
  int e = 0;
  std::frexp(all, &e);                       // all = m 2^e, m in [1/2, 1)
  const int place = e < -13 ? -24 : e - 11;  // exponent of the last place
  const double whole = std::nearbyint(std::ldexp(all, -place));
  // The patterns of neighbours are adjacent, also across exponents.
  const unsigned bits =
      e < -13 ? static_cast<unsigned>(whole)
              : (static_cast<unsigned>(e + 14) << 10) + static_cast<unsigned>(whole) - 1024;
  return static_cast<std::uint16_t>(sign | bits);
}

}  // namespace eflow::test
