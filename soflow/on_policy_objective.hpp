#pragma once
// OnPolicyObjective: one step of AnyFlow's second stage. The student's own samples, made by
// simulated rollouts, are moved by the difference of a frozen teacher's score and a score of what
// the student makes now, which is learned beside it.  [arXiv 2605.13724, stage 2]

#include "eflow/soflow/batch.hpp"
#include "eflow/soflow/loss_groups.hpp"
#include "eflow/soflow/on_policy.hpp"

namespace eflow::soflow {

struct OnPolicyOptions {
  std::vector<int> rollouts = {2, 4, 8, 16, 50};  ///< steps n that are simulated, equally often
  double shift = 5;                               ///< of their grids and of the scores' times
  std::uint64_t seed = 0;

  [[nodiscard]] RandomKey key(std::uint32_t purpose, std::int64_t step) const {
    return {.seed = seed, .purpose = purpose, .step = static_cast<std::uint64_t>(step)};
  }
};

/// What the student makes of noise x1 [B, ...]; `choice` decides what is simulated.
using RollOut =
    std::function<Tensor(const Tensor& x1, const RandomKey& choice, const nn::Condition&)>;

/// At most three jumps around one step of n: draws n and its step, then roll_out().
[[nodiscard]] RollOut simulated_rollout(const Network& student, const OnPolicyOptions& options);

struct Scores {
  Network fake;     ///< of what the student makes; learned
  Network teacher;  ///< of the data; frozen, with its guidance
};

class OnPolicyObjective {
 public:
  explicit OnPolicyObjective(OnPolicyOptions options) : options_(std::move(options)) {}

  /// The student's loss: mean |x - sg(x - g)|^2 with the matching gradient g. Samples are recorded
  /// as kMatching, mse = mean_e g^2. A batch gives indices, conditions and the shape of x0.
  [[nodiscard]] StepLoss student(const RollOut& student, const Scores& scores, const Batch& batch,
                                 std::int64_t step, std::int64_t batch_total = 0) const;
  /// The fake score's loss: flow matching on a rollout of its own.
  [[nodiscard]] StepLoss fake(const RollOut& student, const Scores& scores, const Batch& batch,
                              std::int64_t step, std::int64_t batch_total = 0) const;

  [[nodiscard]] const OnPolicyOptions& options() const { return options_; }

 private:
  [[nodiscard]] Tensor noise(const Batch& batch, std::uint32_t purpose, std::int64_t step) const;
  [[nodiscard]] nn::Condition told(const Batch& batch) const;

  OnPolicyOptions options_;
};

}  // namespace eflow::soflow
