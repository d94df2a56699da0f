#pragma once
// AnyFlow's on-policy distillation: a flow map is corrected where its own samplers take it. A rollout
// of n steps is replaced by at most three jumps around one true step of it (flow-map backward
// simulation), and its end is moved by the difference of two scores (distribution matching).
// [arXiv 2605.13724, stage 2; distribution matching: arXiv 2311.18828]

#include "eflow/soflow/network.hpp"

namespace eflow::soflow {

/// Times of the jumps that stand for step k of n steps of the grid S_shift(1 - i / n): from 1 to
/// the step's begin, the step, and from its end to 0, without the jumps that are empty. Throws
/// InvalidArgument unless 0 <= k < n.
[[nodiscard]] std::vector<double> backward_simulation_times(int n, int k, double shift);

/// Which n and k every sample of a step uses: one of `choices`, then one of its steps.
struct SimulatedStep {
  int n = 1, k = 0;
};
[[nodiscard]] SimulatedStep draw_simulated_step(const std::vector<int>& choices,
                                                const RandomKey& key);

/// x at the last time from x1 at the first, one jump of the network after the other. Differentiable
/// through all of them.
[[nodiscard]] Tensor roll_out(const Network& network, const Tensor& x1,
                              const std::vector<double>& times, const nn::Condition& condition);

/// What a velocity network makes of a point: x0 = x_t - t F(x_t, t, t).
[[nodiscard]] Tensor data_of(const Network& score, const Tensor& x_t, const PerSample& t,
                             const nn::Condition& condition);

/// (x0_fake - x0_real) / mean_e |x - x0_real| for each sample; 0 where that is not a number. No
/// gradient.
[[nodiscard]] Tensor matching_gradient(const Tensor& x, const Tensor& x0_fake,
                                       const Tensor& x0_real);

/// mean |x - sg(x - g)|^2, whose gradient by x is 2 g / count. Scalar.
[[nodiscard]] Tensor matching_loss(const Tensor& x, const Tensor& gradient);

}  // namespace eflow::soflow
