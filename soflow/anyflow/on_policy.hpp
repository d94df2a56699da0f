#pragma once
// Building blocks of AnyFlow's on-policy distillation (stage 2), which corrects a flow map at the
// states that its own samplers visit. A rollout of n steps is replaced by at most three jumps
// around one of its steps (flow-map backward simulation). Its endpoint is moved by the difference
// of a fake score and a real score (distribution matching). [arXiv 2605.13724, stage 2;
// distribution matching: arXiv 2311.18828]

#include "eflow/core/base/export.hpp"
#include "eflow/core/tensor/random_key.hpp"
#include "eflow/soflow/objective/network.hpp"

EFLOW_EXPORT_BEGIN

namespace eflow::soflow {

/// Returns the jump times that replace an n-step rollout around its step k on the grid
/// S_shift(1 - i / n): 1, the start of the step, its end, 0. Empty jumps are left out. Throws
/// InvalidArgument unless 0 <= k < n.
[[nodiscard]] std::vector<double> backward_simulation_times(int n, int k, double shift);

/// Step k of an n-step rollout.
struct SimulatedStep {
  int n = 1, k = 0;
};
/// Draws n uniformly from `choices`, then k uniformly from 0 .. n - 1. All samples of a training
/// step share them.
[[nodiscard]] SimulatedStep draw_simulated_step(const std::vector<int>& choices,
                                                const RandomKey& key);

/// Returns x at times.back(), from x1 at times.front(), by one solution f(x, t, s) per interval.
/// Differentiable through all jumps.
[[nodiscard]] Tensor roll_out(const Network& network, const Tensor& x1,
                              const std::vector<double>& times, const nn::Condition& condition);

/// Returns a velocity network's estimate of the data: x0 = x_t - t F(x_t, t, t).
[[nodiscard]] Tensor data_of(const Network& network, const Tensor& x_t, const PerSample& t,
                             const nn::Condition& condition);

/// Returns g = (x0_fake - x0_real) / mean_e |x - x0_real| per sample, or 0 where the quotient is
/// not finite. No gradient flows through g. All [B, ...].
[[nodiscard]] Tensor matching_gradient(const Tensor& x, const Tensor& x0_fake,
                                       const Tensor& x0_real);

/// Returns the scalar mean |x - sg(x - g)|^2. Its gradient with respect to x is 2 g / count.
[[nodiscard]] Tensor matching_loss(const Tensor& x, const Tensor& gradient);

}  // namespace eflow::soflow

EFLOW_EXPORT_END
