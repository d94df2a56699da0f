#pragma once
// What "share of peak" refers to on the default device.

#include "eflow/base/dtype.hpp"

namespace eflow::trainer {

/// FLOP/s (2 a multiply-add): on the CPU measure_fma_peak() of all its threads, on a GPU the best of several products of
/// large matrices of this dtype, as its data sheet's figure is one that no program reaches. Takes about `seconds`.
[[nodiscard]] double measure_device_peak(double seconds = 0.1, DType dtype = DType::kF32);

}  // namespace eflow::trainer
