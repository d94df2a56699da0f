#pragma once
// The matrix products that a network delegates to cuBLASLt, derived from its config alone. `eflow
// jit tune` tunes them in addition to the attention kernels.

#include <vector>

#include "eflow/core/base/export.hpp"
#include "eflow/nn/dit/kernels.hpp"

EFLOW_EXPORT_BEGIN

namespace eflow::nn {

/// Returns the products over tokens without duplicates: of each linear layer the forward product
/// and, if needs.gradients, the products of its input's and its weight's gradient; for all tokens
/// of `batch` samples, and in the middle also for the kept tokens. Products over samples (times,
/// labels) and over the context are small and left out. needs.dtype = bf16 means mixed precision
/// (docs/training.md). Empty on the CPU.
[[nodiscard]] std::vector<jit::TuningJob> product_jobs(const DiTConfig& config,
                                                       const KernelNeeds& needs,
                                                       std::int64_t batch);

}  // namespace eflow::nn

EFLOW_EXPORT_END
