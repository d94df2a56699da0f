#pragma once
// The machine's multiply-add ceiling, measured when it is needed: what "share of peak" in metrics and benchmarks refers to.

#include "eflow/base/dtype.hpp"

namespace eflow::trainer {

/// FLOP/s (2 a multiply-add) of `threads` threads that do nothing else, best of several short runs of about `seconds` in
/// all, with the widest vectors of this CPU. dtype: kF32; kBF16 where the CPU multiplies bf16, else that is f32 too.
[[nodiscard]] double measure_fma_peak(int threads, double seconds = 0.1, DType dtype = DType::kF32);

/// Bytes a second that `threads` threads read from memory, best of several runs.
[[nodiscard]] double measure_memory_rate(int threads, double seconds = 0.1);

}  // namespace eflow::trainer
