#pragma once
// Numbers of no particular content, for operands and clips that are only timed: cheap, the same everywhere, and not random
// enough for anything else.

#include <cstdint>
#include <span>

namespace eflow {

/// Values in [-1, 1) that differ from neighbour to neighbour and repeat late.
template <class T>
void fill_with_noise(std::span<T> out, std::uint32_t seed) {
  for (T& x : out) {
    seed = seed * 1664525u + 1013904223u;
    x = static_cast<T>(static_cast<float>(seed >> 8) * 0x1p-23f - 1);
  }
}

}  // namespace eflow
