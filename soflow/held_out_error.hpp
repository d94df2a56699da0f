#pragma once
// The error of a network's velocities on clips that it is not trained on.

#include "eflow/soflow/batch.hpp"
#include "eflow/soflow/guidance.hpp"
#include "eflow/soflow/times.hpp"

namespace eflow::soflow {

/// The raw flow-matching error mean_e |F(x_t, t, t) - v|^2 of each sample, at times and noise that
/// depend on `seed` and the batch's indices alone. Of a network that was trained with guidance the
/// middle scale w is asked for and taken out again: (F_w + (w - 1) F_uncond) / w stands for F, so
/// that errors of guided and unguided runs compare. Nothing is recorded.
[[nodiscard]] PerSample held_out_error(const Network& network, const Batch& batch,
                                       const LogitNormal& law, std::uint64_t seed,
                                       const GuidanceOptions& guidance = {});

}  // namespace eflow::soflow
