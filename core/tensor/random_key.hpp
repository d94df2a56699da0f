#pragma once
// RandomKey: what random numbers are a function of.

#include <cstdint>

namespace eflow {

/// Key of the counter-based generator (Philox 4x32-10): a value is a function of (seed, purpose,
/// step, sample id, element) and does not depend on the batch, the rank, the device or the number
/// of threads.
struct RandomKey {
  std::uint64_t seed = 0;
  std::uint32_t purpose = 0;  ///< separates the streams of one step: noise, times, ...
  std::uint64_t step = 0;
};

}  // namespace eflow
