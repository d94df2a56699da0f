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

/// Like sample(), with options.steps steps per chunk. x1 [B, C, T, H, W] of sample_noise(), of any
/// length T: beyond the model's, positions are extrapolated, and windows and linear branches need
/// no more memory. Fresh noise of a sampler differs between chunks. Progress counts the steps of
/// all sampled chunks. given [B, C, K, H, W]: the first K frames of the clips, which are returned
/// as they are; K must end a chunk. Throws InvalidArgument as ClipStream() does and for another K.
[[nodiscard]] std::optional<Tensor> sample_stream(const nn::VideoDiT& model, const Tensor& x1,
                                                  const std::vector<std::int64_t>& ids,
                                                  const nn::Condition& condition,
                                                  const SampleOptions& options = {},
                                                  const Tensor& given = {});

/// Number of chunks that sample_stream() samples in a clip of this many frames.
[[nodiscard]] std::int64_t chunks_to_sample(const nn::DiTConfig& model, std::int64_t frames,
                                            std::int64_t given_frames = 0);

/// Like simulated_rollout(), chunk by chunk with the same n and k. The model must outlive the result.
/// [AnyFlow, causal variant]
[[nodiscard]] RollOut simulated_stream(const nn::VideoDiT& model, const OnPolicyOptions& options);

}  // namespace eflow::soflow

EFLOW_EXPORT_END
