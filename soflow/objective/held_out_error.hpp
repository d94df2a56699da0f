#pragma once
// The velocity error of a network on clips that it is not trained on.

#include "eflow/core/base/export.hpp"
#include "eflow/soflow/objective/batch.hpp"
#include "eflow/soflow/objective/guidance.hpp"
#include "eflow/soflow/objective/times.hpp"

EFLOW_EXPORT_BEGIN

namespace eflow::soflow {

/// Returns mean_e |F(x_t, t, t) - v|^2 of each sample. Times and noise depend on `seed` and the
/// batch's indices only. For a network trained with guidance, F is replaced by (F_w + (w - 1)
/// F_uncond) / w at the middle of the guidance range, so errors of guided and unguided runs are
/// comparable. Nothing is recorded by autograd.
[[nodiscard]] PerSample held_out_error(const Network& network, const Batch& batch,
                                       const LogitNormal& law, std::uint64_t seed,
                                       const GuidanceOptions& guidance = {});

}  // namespace eflow::soflow

EFLOW_EXPORT_END
