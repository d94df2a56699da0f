#pragma once
// The peak rate of the default device, which "share of peak" refers to.

#include "eflow/core/base/dtype.hpp"

namespace eflow::trainer {

/// Measures FLOP/s (2 per multiply-add) in about `seconds`: on the CPU measure_fma_peak() of all
/// threads, on a GPU the best of several large matrix products of this dtype, because no program
/// reaches the data sheet's figure.
[[nodiscard]] double measure_device_peak(double seconds = 0.1, DType dtype = DType::kF32);

}  // namespace eflow::trainer
