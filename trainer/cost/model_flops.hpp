#pragma once
// Useful floating-point operations of a network and of a training step, by formula: matrix products
// and the attention pairs inside the window, 2 per multiply-add. Norms and other elementwise work
// are not counted.

#include "eflow/core/base/export.hpp"
#include "eflow/nn/dit/config.hpp"
#include "eflow/soflow/anyflow/anyflow.hpp"
#include "eflow/soflow/objective/objective.hpp"

EFLOW_EXPORT_BEGIN

namespace eflow::trainer {

/// FLOP of one forward pass of one clip.
struct ForwardFlops {
  double products = 0;   ///< all Linear layers
  double attention = 0;  ///< scores, weighted sums and the linear branch
  [[nodiscard]] double total() const { return products + attention; }
};

/// FLOP of one forward pass of one clip of which `middle_tokens` tokens go through the middle
/// blocks (-1: all; 0: none, which is the weak path), with a context of `text_tokens`.
[[nodiscard]] ForwardFlops forward_flops(const nn::DiTConfig& config,
                                         std::int64_t middle_tokens = -1,
                                         std::int64_t text_tokens = 0);

/// FLOP per clip of a training step, forward and backward, under that step's token dropping and
/// loss pattern. `step`: finished steps.
[[nodiscard]] double step_flops(const nn::DiTConfig& config,
                                const soflow::ObjectiveOptions& objective, std::int64_t step,
                                std::int64_t text_tokens = 0);

/// Forward passes per clip in a step of AnyFlow's first stage (a backward pass counts as two):
/// three for the map, two for the finite difference, one for guidance. Causal models need twice as
/// many, as clean clips pass through the network together with the noisy ones.
[[nodiscard]] double anyflow_passes(const soflow::AnyFlowOptions& options);
/// The same for the second stage, averaged over the rollout lengths: the student's rollout and its
/// backward pass, two scores, a rollout and a training step for the learned score, and the first
/// stage's passes if `cotrain`.
[[nodiscard]] double on_policy_passes(const soflow::AnyFlowOptions& first_stage,
                                      const std::vector<int>& rollouts, bool cotrain);

/// Cost of one forward pass through the full network and through the weak path, in any unit.
struct PassCosts {
  double full = 1, weak = 1;
};

/// Cost per clip of a training step (a backward pass counts as two forward passes): 3 for flow
/// matching, 4 for consistency, 5 for additivity, plus guidance and the velocity mix. With three
/// quarters of flow matching that is 4.5 for SoFlow with guidance and mix, and 3.71 with the weak
/// path of the paper's 3/22/3 blocks. `step`: finished steps.
[[nodiscard]] double passes_per_clip(const soflow::ObjectiveOptions& objective,
                                     std::int64_t step = 0, const PassCosts& cost = {});

}  // namespace eflow::trainer

EFLOW_EXPORT_END
