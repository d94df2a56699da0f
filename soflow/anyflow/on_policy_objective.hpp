#pragma once
// OnPolicyObjective: one step of AnyFlow's stage 2. The student's own samples, made by simulated
// rollouts, are moved by the difference of two scores: the real score is a frozen teacher; the fake
// score models the student's current samples and is trained alongside it.
// [arXiv 2605.13724, stage 2]

#include "eflow/core/base/export.hpp"
#include "eflow/core/tensor/random_key.hpp"
#include "eflow/soflow/anyflow/on_policy.hpp"
#include "eflow/soflow/objective/batch.hpp"
#include "eflow/soflow/objective/given_frames.hpp"
#include "eflow/soflow/objective/loss_groups.hpp"

EFLOW_EXPORT_BEGIN

namespace eflow::soflow {

struct OnPolicyOptions {
  std::vector<int> rollouts = {2, 4, 8, 16, 50};  ///< step counts n to simulate, equally likely
  double shift = 5;                               ///< of the rollout grids and of the scores' times
  GivenFrames given = {};                         ///< of rollouts and scores
  std::uint64_t seed = 0;

  [[nodiscard]] RandomKey key(std::uint32_t purpose, std::int64_t step) const {
    return {.seed = seed, .purpose = purpose, .step = static_cast<std::uint64_t>(step)};
  }
};

/// Maps noise x1 [B, ...] to the student's samples. `choice` seeds the draw of the simulated step.
using RollOut =
    std::function<Tensor(const Tensor& x1, const RandomKey& choice, const nn::Condition&)>;

/// Returns a rollout that draws n and k and makes at most three jumps around step k of n.
[[nodiscard]] RollOut simulated_rollout(const Network& student, const OnPolicyOptions& options);

struct Scores {
  Network fake = {};     ///< fake score: models the student's samples; trained
  Network teacher = {};  ///< real score: models the data, with guidance; frozen
};

class OnPolicyObjective {
 public:
  explicit OnPolicyObjective(OnPolicyOptions options) : options_(std::move(options)) {}

  /// Returns the student's loss, mean |x - sg(x - g)|^2 with the matching gradient g. Samples are
  /// recorded as kDistributionMatching with mse = mean_e g^2. The batch provides indices,
  /// conditions and the shape of x0. step and batch_total are as for EFlowObjective.
  [[nodiscard]] StepLoss student(const RollOut& student, const Scores& scores, const Batch& batch,
                                 std::int64_t step, std::int64_t batch_total = 0) const;
  /// Returns the fake score's loss: flow matching on a rollout of its own, which is not recorded by
  /// autograd.
  [[nodiscard]] StepLoss fake(const RollOut& student, const Scores& scores, const Batch& batch,
                              std::int64_t step, std::int64_t batch_total = 0) const;

  [[nodiscard]] const OnPolicyOptions& options() const { return options_; }

 private:
  [[nodiscard]] Tensor noise(const Batch& batch, std::uint32_t purpose, std::int64_t step) const;
  [[nodiscard]] nn::Condition conditioned(const Batch& batch, std::int64_t step) const;

  OnPolicyOptions options_;
};

}  // namespace eflow::soflow

EFLOW_EXPORT_END
