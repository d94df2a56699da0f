#pragma once
// Which matrix products a network gives to a GPU's library, known before any tensor is: what `eflow jit tune` tunes beside its
// attention.

#include <vector>

#include "eflow/nn/dit_kernels.hpp"

namespace eflow::nn {

/// Those over tokens, each once: of every linear layer the product itself, and where `needs.gradients` those of its input's
/// and its weight's gradients; for all tokens of `batch` samples, and in the middle for those that are kept. Not those over
/// samples (times, labels) and context, which are small. needs.dtype bf16 is mixed precision (docs/training.md). Empty on
/// the CPU.
[[nodiscard]] std::vector<jit::TuningJob> product_jobs(const DiTConfig& config,
                                                       const KernelNeeds& needs,
                                                       std::int64_t batch);

}  // namespace eflow::nn
