#pragma once
// The peak rate of the default device, which "share of peak" refers to.

#include "eflow/core/tensor/tensor.hpp"

namespace eflow::trainer {

/// Measures FLOP/s (2 per multiply-add) in about `seconds`: on the CPU measure_fma_peak() of all
/// threads, on a GPU the best of several large matrix products of this dtype, because no program
/// reaches the data sheet's figure.
[[nodiscard]] double measure_device_peak(double seconds, DType dtype);
/// Measures bytes per second in about `seconds`: on the CPU of reads by all threads
/// (measure_memory_rate), on a GPU of a large copy, bytes read plus bytes written.
[[nodiscard]] double measure_device_memory_rate(double seconds);

/// Values in [-1, 1] with a prime period, on the default device. A GPU draws less power and runs
/// faster on zeros than on data, so nothing is timed on zeros.
[[nodiscard]] Tensor irregular_values(const Shape& shape, DType dtype);

}  // namespace eflow::trainer
