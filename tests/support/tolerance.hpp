#pragma once
// Tolerances against an f64 reference, by dtype: a few roundings of the stored type, more for long
// sums.

#include "eflow/core/base/dtype.hpp"

namespace eflow::test {

struct Tolerance {
  double relative;  ///< relative to the largest magnitude in the reference
  double absolute;
};

[[nodiscard]] inline Tolerance tolerance_of(DType dtype) {
  switch (dtype) {
    case DType::kF64:
      return {1e-12, 1e-12};
    case DType::kBF16:
      return {3e-2, 3e-2};  // 8 bits of mantissa, forward and backward pass
    default:
      return {2e-5, 2e-5};  // 24 bits of mantissa, sums of a few thousand terms
  }
}

}  // namespace eflow::test
