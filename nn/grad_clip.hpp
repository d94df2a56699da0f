#pragma once
// The norm of all gradients together, and the factor that brings it under a limit.

#include "eflow/nn/module.hpp"

namespace eflow::nn {

/// Square root of the sum of squares over all gradients; parameters without one count as zero.
/// Waits for the device.
[[nodiscard]] double gradient_norm(const NamedTensors& parameters);

/// What to multiply gradients of this norm with: min(1, limit / norm), or 1 for limit <= 0.
[[nodiscard]] double clip_factor(double norm, double limit);

}  // namespace eflow::nn
