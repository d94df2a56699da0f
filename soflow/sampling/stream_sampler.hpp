#pragma once
// Sampling and simulated rollouts of a chunk-causal network, one chunk of frames after another.
// Each chunk goes from its own noise to data and is then remembered as clean context. Gradients do
// not cross chunks.

#include "eflow/core/base/export.hpp"
#include "eflow/nn/dit/clip_stream.hpp"
#include "eflow/soflow/anyflow/on_policy_objective.hpp"
#include "eflow/soflow/sampling/sampler.hpp"

EFLOW_EXPORT_BEGIN

namespace eflow::soflow {

/// Like sample(), with options.steps steps per chunk. x1 [B, C, T, H, W] of sample_noise(). Fresh
/// noise of a sampler differs between chunks. Progress counts the steps of all chunks.
[[nodiscard]] std::optional<Tensor> sample_stream(const nn::VideoDiT& model, const Tensor& x1,
                                                  const std::vector<std::int64_t>& ids,
                                                  const nn::Condition& condition,
                                                  const SampleOptions& options = {});

/// Like simulated_rollout(), chunk by chunk with the same n and k. The model must outlive the result.
/// [AnyFlow, causal variant]
[[nodiscard]] RollOut simulated_stream(const nn::VideoDiT& model, const OnPolicyOptions& options);

}  // namespace eflow::soflow

EFLOW_EXPORT_END
