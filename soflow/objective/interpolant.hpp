#pragma once
// The straight path from data to noise, and the solution function f that a mean velocity F defines.
// [arXiv 2603.27086, §3.1, Eq. 2]

#include "eflow/core/base/export.hpp"
#include "eflow/soflow/objective/network.hpp"

EFLOW_EXPORT_BEGIN

namespace eflow::soflow {

/// Returns x_t = (1 - t) x0 + t x1. x0, x1: [B, ...].
[[nodiscard]] Tensor interpolate(const Tensor& x0, const Tensor& x1, const PerSample& t);
/// Returns v = x1 - x0, the velocity of that path.
[[nodiscard]] Tensor path_velocity(const Tensor& x0, const Tensor& x1);
/// Returns x + (s - t) F: the solution f(x, t, s) if F is the mean velocity from t to s, or an
/// Euler step if F is a velocity at t. Equals x bit for bit where s = t. [Eq. 2]
[[nodiscard]] Tensor advance(const Tensor& x, const Tensor& F, const PerSample& t,
                             const PerSample& s);
/// Evaluates a network and returns its solution f(x, t, s) = x + (s - t) F(x, t, s). [Eq. 2]
[[nodiscard]] Tensor solve(const Network& network, const Tensor& x, const PerSample& t,
                           const PerSample& s, const nn::Condition& condition);

}  // namespace eflow::soflow

EFLOW_EXPORT_END
