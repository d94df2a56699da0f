#pragma once
// The CPU's multiply-add and memory ceilings, measured when needed: the reference of "share of peak"
// in metrics and benchmarks.

#include <optional>

#include "eflow/core/base/dtype.hpp"
#include "eflow/jit/kernel/isa.hpp"

namespace eflow::trainer {

/// Measures the FLOP/s (2 per multiply-add) of `threads` threads that do nothing else: the best of
/// several short runs of about `seconds` in total. dtype: kF32, kF64, or kBF16, which counts as f32
/// on a CPU without bf16 products. isa: if empty, the one of this CPU whose instruction for the dtype
/// is fastest. With cpu_time, counts the
/// CPU time of each thread instead of wall-clock time, for machines that do other things too.
[[nodiscard]] double measure_fma_peak(int threads, double seconds = 0.1, DType dtype = DType::kF32,
                                      std::optional<jit::Isa> isa = std::nullopt,
                                      bool cpu_time = false);

/// Measures the bytes per second that `threads` threads read from memory, best of several runs.
[[nodiscard]] double measure_memory_rate(int threads, double seconds = 0.1);

}  // namespace eflow::trainer
