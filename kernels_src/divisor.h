#pragma once
// Division by a number that the host has prepared: two multiplications instead of the twenty
// instructions that a GPU divides in.

#include "eflow/kernels_src/args/divisor.h"
#include "eflow/kernels_src/tile/base/types.h"

namespace EFLOW_TEXT {

EFLOW_FN Division divide(Index n, const eflow::args::Divisor& by) {
  if (n >> 31 != 0) return divide(n, by.size);
  const auto low = static_cast<u32>(n);
  const Index quotient = (low + multiply_high(low, by.magic)) >> by.shift;
  return {quotient, n - quotient * by.size};
}

}  // namespace EFLOW_TEXT
