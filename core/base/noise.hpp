#pragma once
// Reproducible pseudo-random fill for operands and clips in benchmarks. Too weak for training or
// tests of distributions; use random_uniform for those.

#include <cstdint>
#include <span>

namespace eflow {

/// Fills `out` with values in [-1, 1) from a 32-bit linear congruential generator (period 2^32).
/// The result depends on the seed alone.
template <class T>
void fill_with_noise(std::span<T> out, std::uint32_t seed) {
  for (T& x : out) {
    seed = seed * 1664525u + 1013904223u;
    x = static_cast<T>(static_cast<float>(seed >> 8) * 0x1p-23f - 1);
  }
}

}  // namespace eflow
