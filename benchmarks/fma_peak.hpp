#pragma once
// The multiply-add peak of this machine as this run finds it: what fractions of peak are fractions of.

#include "eflow/base/dtype.hpp"
#include "eflow/jit/isa.hpp"
#include "eflow/jit/thread_pool.hpp"

namespace eflow::bench {

/// Operations a second of multiply-adds on operands stored as `dtype`: every thread of the pool times its own loop of `steps`
/// a chain, by its CPU time or by the wall clock, and the rates are added.
[[nodiscard]] double fma_peak(jit::ThreadPool& pool, jit::Isa isa, DType dtype, long long steps,
                              bool cpu_time);

}  // namespace eflow::bench
