#pragma once
// The straight path from data to noise, and moving along a predicted mean velocity.
// [arXiv 2603.27086, §3.1, Eq. 2]

#include "eflow/soflow/network.hpp"

namespace eflow::soflow {

/// x_t = (1 - t) x0 + t x1
[[nodiscard]] Tensor interpolate(const Tensor& x0, const Tensor& x1, const PerSample& t);
/// v = x1 - x0, the velocity of that path.
[[nodiscard]] Tensor path_velocity(const Tensor& x0, const Tensor& x1);
/// x + (s - t) F: the solution function f(x, t, s) when F is the network's, an Euler step when F is
/// a velocity. Equals x where s = t.
[[nodiscard]] Tensor advance(const Tensor& x, const Tensor& velocity, const PerSample& t,
                             const PerSample& s);
/// f(x, t, s) of a network.
[[nodiscard]] Tensor solve(const Network& network, const Tensor& x, const PerSample& t,
                           const PerSample& s, const nn::Condition& condition);

}  // namespace eflow::soflow
