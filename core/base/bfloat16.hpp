#pragma once
// Host-side bfloat16: the upper 16 bits of an IEEE-754 float. Kernels define their own type with
// the same bits (kernels_src/tile/base/types.h).

#include <bit>
#include <cstdint>

namespace eflow {

/// A bfloat16 value; trivially copyable, 2 bytes. Arithmetic goes through float.
struct bfloat16 {
  std::uint16_t bits = 0;

  bfloat16() = default;
  /// Rounds to nearest, ties to even; NaN becomes a quiet NaN.
  explicit bfloat16(float value) {
    const auto u = std::bit_cast<std::uint32_t>(value);
    const bool nan = (u & 0x7fffffffu) > 0x7f800000u;
    bits = static_cast<std::uint16_t>(nan ? (u >> 16) | 0x40u
                                          : (u + 0x7fffu + ((u >> 16) & 1u)) >> 16);
  }
  /// Exact: every bfloat16 is a float.
  explicit operator float() const {
    return std::bit_cast<float>(static_cast<std::uint32_t>(bits) << 16);
  }
  friend bool operator==(bfloat16 a, bfloat16 b) = default;
};

static_assert(sizeof(bfloat16) == 2);

}  // namespace eflow
