#pragma once
// Gradient clipping: the global gradient norm, and the factor that limits it.

#include "eflow/core/base/export.hpp"
#include "eflow/nn/layers/module.hpp"

EFLOW_EXPORT_BEGIN

namespace eflow::nn {

/// Returns the Euclidean norm over all gradients; parameters without a gradient count as zero.
/// Waits for the device.
[[nodiscard]] double gradient_norm(const NamedTensors& parameters);

/// Returns the factor for gradients of this norm: min(1, limit / norm), or 1 if limit <= 0.
[[nodiscard]] double clip_factor(double norm, double limit);

}  // namespace eflow::nn

EFLOW_EXPORT_END
