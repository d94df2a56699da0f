#pragma once
// ShapeBucket: the sizes of a launch, rounded up to powers of two. All shapes of a bucket share one
// tuned config; the bucket's edges are part of the tuning database's key.

#include <bit>
#include <cstdint>
#include <initializer_list>
#include <span>

namespace eflow::jit {

/// Up to eight rounded sizes, packed into 64 bits.
struct ShapeBucket {
  static constexpr int kSizes = 8;

  std::uint64_t code = 0;  ///< one byte per size: 0 = none, else 1 + log2 of the upper edge

  constexpr ShapeBucket() = default;
  /// At most kSizes sizes, in the order that the kernel declares; sizes below 1 count as 1.
  constexpr ShapeBucket(std::initializer_list<std::int64_t> sizes) {
    int i = 0;
    for (const std::int64_t size : sizes) set(i++, size);
  }
  explicit constexpr ShapeBucket(std::span<const std::int64_t> sizes) {
    int i = 0;
    for (const std::int64_t size : sizes) set(i++, size);
  }

  /// The i-th size is in (low, high].
  [[nodiscard]] constexpr std::int64_t high(int i) const {
    const auto exponent = static_cast<int>(code >> (8 * i) & 0xff) - 1;
    return exponent < 0 ? 0 : std::int64_t{1} << exponent;
  }
  [[nodiscard]] constexpr std::int64_t low(int i) const { return high(i) / 2; }

  friend constexpr bool operator==(ShapeBucket a, ShapeBucket b) { return a.code == b.code; }

 private:
  constexpr void set(int i, std::int64_t size) {
    const auto above = static_cast<std::uint64_t>(size > 1 ? size - 1 : 0);
    code |= static_cast<std::uint64_t>(1 + std::bit_width(above)) << (8 * i);
  }
};

}  // namespace eflow::jit
