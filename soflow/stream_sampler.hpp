#pragma once
// Sampling and simulated rollouts of a chunk-causal network: chunk by chunk of frames, each from its
// own noise to data, then remembered. No gradient goes from one chunk into another.

#include "eflow/nn/clip_stream.hpp"
#include "eflow/soflow/on_policy_objective.hpp"
#include "eflow/soflow/sampler.hpp"

namespace eflow::soflow {

/// As sample(), with options.steps steps for every chunk; x1 [B, C, T, H, W] of sample_noise(). Noise
/// that a sampler adds on the way is each chunk's own. Progress counts the steps of all chunks.
[[nodiscard]] std::optional<Tensor> sample_stream(const nn::VideoDiT& model, const Tensor& x1,
                                                  const std::vector<std::int64_t>& ids,
                                                  const nn::Condition& condition,
                                                  const SampleOptions& options = {});

/// As simulated_rollout(), with an n and a step of its own for every chunk. The model must outlive it.
[[nodiscard]] RollOut simulated_stream(const nn::VideoDiT& model, const OnPolicyOptions& options);

}  // namespace eflow::soflow
