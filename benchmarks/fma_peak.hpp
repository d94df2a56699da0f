#pragma once
// The multiply-add peak of this machine as this run finds it: what fractions of peak are fractions of.

#include "eflow/base/dtype.hpp"
#include "eflow/jit/isa.hpp"
#include "eflow/jit/thread_pool.hpp"

namespace eflow::bench {

/// Operations of multiply-adds on operands stored as `dtype`, `steps` a chain on every thread of the pool.
[[nodiscard]] double run_fma_peak(jit::ThreadPool& pool, jit::Isa isa, DType dtype,
                                  long long steps);

}  // namespace eflow::bench
