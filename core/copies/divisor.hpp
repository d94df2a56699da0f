#pragma once
// Prepares divisions for kernels. Internal to core.

#include <cstdint>

#include "eflow/kernels_src/args/divisor.h"

namespace eflow::detail {

/// size > 0. A kernel divides by a size of 2^31 or more without the other two numbers.
[[nodiscard]] inline args::Divisor divisor(std::int64_t size) {
  args::Divisor out{.magic = 0, .shift = 0, .size = size};
  if (size >> 31 != 0) return out;
  while (std::int64_t{1} << out.shift < size) ++out.shift;
  const auto power = std::uint64_t{1} << out.shift, by = static_cast<std::uint64_t>(size);
  out.magic = static_cast<unsigned>(((power - by) << 32) / by + 1);
  return out;
}

}  // namespace eflow::detail
