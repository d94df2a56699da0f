#pragma once
// How far a result may be from its f64 reference, by dtype: a few roundings of the stored type, more where sums are long.

#include "eflow/base/dtype.hpp"

namespace eflow::test {

struct Tolerance {
  double relative;  ///< of the largest magnitude in the reference
  double absolute;
};

[[nodiscard]] inline Tolerance tolerance_of(DType dtype) {
  switch (dtype) {
    case DType::kF64: return {1e-12, 1e-12};
    case DType::kBF16: return {3e-2, 3e-2};  // 8 bits of mantissa, through a forward and a backward pass
    default: return {2e-5, 2e-5};            // 24 bits, sums of some thousand terms
  }
}

}  // namespace eflow::test
