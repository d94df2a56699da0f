#include "eflow/soflow/anyflow/on_policy_objective.hpp"

#include <algorithm>

#include "eflow/core/tensor/ops.hpp"
#include "eflow/core/tensor/random_key.hpp"
#include "eflow/soflow/objective/interpolant.hpp"
#include "eflow/soflow/objective/losses.hpp"
#include "eflow/soflow/objective/purpose.hpp"
#include "eflow/soflow/objective/times.hpp"

namespace eflow::soflow {
namespace {

/// The samples' losses summed and divided by batch_total, with their records.
StepLoss step_loss(const SampleLosses& losses, const Batch& batch, LossGroup group,
                   std::int64_t batch_total) {
  const auto total = static_cast<double>(batch_total > 0 ? batch_total : batch.x0.size(0));
  return {
      sum(losses.loss) / total, {{group, batch.indices, losses.loss.detach(), losses.mse, {}}}, {}};
}

}  // namespace

RollOut simulated_rollout(const Network& student, const OnPolicyOptions& options) {
  return [student, options](const Tensor& x1, const RandomKey& choice, const nn::Condition& c) {
    const auto [n, k] = draw_simulated_step(options.rollouts, choice);
    return roll_out(student, x1, backward_simulation_times(n, k, options.shift), c);
  };
}

Tensor OnPolicyObjective::noise(const Batch& batch, std::uint32_t purpose,
                                std::int64_t step) const {
  return random_normal(batch.x0.shape(), options_.key(purpose, step), batch.indices,
                       batch.x0.dtype(), batch.x0.device());
}

nn::Condition OnPolicyObjective::conditioned(const Batch& batch, std::int64_t step) const {
  nn::Condition c = condition_of(batch, std::vector<bool>(batch.size(), false), -1);
  give_frames(options_.given, options_.key(kGivenFrames, step), batch, &c);
  return c;
}

StepLoss OnPolicyObjective::student(const RollOut& student, const Scores& scores,
                                    const Batch& batch, std::int64_t step,
                                    std::int64_t batch_total) const {
  const nn::Condition c = conditioned(batch, step);
  const Tensor x = student(noise(batch, kRollOutNoise, step), options_.key(kRollOut, step), c);
  Tensor g;
  {
    const NoGrad off;
    const auto count = static_cast<std::int64_t>(batch.size());
    PerSample t =
        random_uniform({count}, options_.key(kScoreTime, step), batch.indices).to_vector<double>();
    for (double& time : t) time = std::max(kTimeMargin, shift_time(time, options_.shift));
    const Tensor x_t = interpolate(x.detach(), noise(batch, kScoreNoise, step), t);
    g = matching_gradient(x, data_of(scores.fake, x_t, t, c), data_of(scores.teacher, x_t, t, c));
  }
  // |x - sg(x - g)|^2 is the unweighted FM loss of x towards x - g.
  return step_loss(fm_loss(x, x.detach() - g, {.p = 0}), batch, LossGroup::kDistributionMatching,
                   batch_total);
}

StepLoss OnPolicyObjective::fake(const RollOut& student, const Scores& scores, const Batch& batch,
                                 std::int64_t step, std::int64_t batch_total) const {
  const nn::Condition c = conditioned(batch, step);
  const Tensor x = [&] {
    const NoGrad off;
    return student(noise(batch, kFakeRollOutNoise, step), options_.key(kFakeRollOut, step), c);
  }();
  const PerSample t =
      draw_times({.shift = options_.shift}, options_.key(kFakeTime, step), batch.indices);
  const Tensor z = noise(batch, kFakeNoise, step);
  const Tensor F = evaluate(scores.fake, interpolate(x, z, t), t, t, c);
  return step_loss(fm_loss(F, path_velocity(x, z), {.p = 0}), batch, LossGroup::kFlowMatching,
                   batch_total);
}

}  // namespace eflow::soflow
