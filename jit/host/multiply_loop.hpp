#pragma once
// Loops of multiply-adds that do nothing else: what an instruction set can do at most.

#include <cstdint>

#include "eflow/core/base/dtype.hpp"
#include "eflow/core/base/export.hpp"
#include "eflow/jit/kernel/isa.hpp"

EFLOW_EXPORT_BEGIN

namespace eflow::jit {

struct MultiplyLoop {
  /// Returns a value that depends on all products. seed: any number near 1.
  double (*run)(double seed, std::int64_t rounds);
  std::int64_t products;  ///< multiply-adds of one round
};

/// The loop of an instruction set, which this CPU must support. dtype: kF32, kF64, or kBF16 (f32 sums
/// of bf16 products), which is f32 below kAvx512Bf16.
[[nodiscard]] MultiplyLoop multiply_loop(DType dtype, Isa isa);

}  // namespace eflow::jit

EFLOW_EXPORT_END
