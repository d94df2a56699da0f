#pragma once
// Useful floating-point operations of a network, by formula: matrix products and attention pairs inside the window,
// 2 a multiply-add; norms and the like are left out.                                      [algorithms: kernels, §4.4]

#include "eflow/nn/dit_config.hpp"
#include "eflow/soflow/anyflow.hpp"
#include "eflow/soflow/objective.hpp"

namespace eflow::trainer {

struct ForwardFlops {
  double products = 0;   ///< all Linear layers, of one clip
  double attention = 0;  ///< scores, mixing and the linear branch, of one clip
  [[nodiscard]] double total() const { return products + attention; }
};

/// Of one clip through the network once; `middle_tokens` of its tokens through the middle blocks (-1: all, 0: none,
/// which is the weak path).
[[nodiscard]] ForwardFlops forward_flops(const nn::DiTConfig& config,
                                         std::int64_t middle_tokens = -1);

/// Of one clip in a step, forwards and backwards, with what that step drops and trains. `step`: finished steps.
[[nodiscard]] double step_flops(const nn::DiTConfig& config,
                                const soflow::ObjectiveOptions& objective, std::int64_t step);

/// Forwards of a clip in a step of AnyFlow's first stage: three for the map, two for the difference,
/// and one for guidance; of clean clips beside the noisy ones where it is causal.
[[nodiscard]] double anyflow_passes(const soflow::AnyFlowOptions& options);
/// In a step of its second: the student's rollout and its backward, two scores, a rollout and a step
/// of the learned score, and the first stage's where `cotrain`. Mean over the rollouts' lengths.
[[nodiscard]] double on_policy_passes(const soflow::AnyFlowOptions& first_stage,
                                      const std::vector<int>& rollouts, bool cotrain);

/// What a pass costs, in any unit.
struct PassCosts {
  double full = 1, weak = 1;
};

/// Forwards and backwards a step does a clip (a backward counts 2): 3 for flow matching, 4 for consistency, 5 for
/// additivity, and what guidance and the velocity mix add. At three quarters of flow matching: 4.5 for SoFlow with guidance
/// and mix, 3.71 with the weak path of the paper's 3/22/3 blocks. `step`: finished steps.
[[nodiscard]] double passes_per_clip(const soflow::ObjectiveOptions& objective,
                                     std::int64_t step = 0, const PassCosts& cost = {});

}  // namespace eflow::trainer
