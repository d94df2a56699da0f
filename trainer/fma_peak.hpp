#pragma once
// The machine's multiply-add ceiling, measured when it is needed: what "share of peak" in metrics and benchmarks refers to.

namespace eflow::trainer {

/// f32 FLOP/s (2 a multiply-add) of `threads` threads that do nothing else, best of several short runs of about
/// `seconds` in all, with the widest vectors of this CPU.
[[nodiscard]] double measure_fma_peak(int threads, double seconds = 0.1);

}  // namespace eflow::trainer
