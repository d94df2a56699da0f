// Algorithm 1 of arXiv 2603.27086: one function per loss group, from the sample's times to its
// loss. Equation numbers are the paper's. F is the mean velocity, f(x, t, s) = x + (s - t) F the
// solution.

#include "eflow/soflow/objective/objective.hpp"

#include <algorithm>
#include <map>

#include "eflow/core/base/error.hpp"
#include "eflow/core/tensor/ops.hpp"
#include "eflow/soflow/objective/interpolant.hpp"
#include "eflow/soflow/objective/purpose.hpp"
#include "eflow/soflow/objective/sample_context.hpp"

namespace eflow::soflow {
namespace {

/// Clamps t to at least kTimeMargin, as ordered_times() does.
PerSample times_alone(PerSample t) {
  const PerSample data(t.size(), 0);
  return ordered_times(std::move(t), data, 1).t;
}

struct GroupResult {
  LossGroup group;
  std::vector<std::int64_t> indices;
  SampleLosses losses;
};

/// Copies the losses to the host. Waits for the device, so it is called after all work is issued.
std::vector<SampleRecord> read_back(const std::vector<GroupResult>& groups) {
  std::vector<SampleRecord> samples;
  for (const auto& [group, indices, losses] : groups) {
    const auto loss = losses.loss.to_vector<double>(), mse = losses.mse.to_vector<double>();
    const auto target =
        losses.target.defined() ? losses.target.to_vector<double>() : PerSample(loss.size(), 0);
    for (std::size_t i = 0; i < loss.size(); ++i) {
      samples.push_back({indices[i], group, loss[i], mse[i], target[i]});
    }
  }
  return samples;
}

/// The batch positions of each group's samples, in the order of the enum. They depend on the
/// samples' global indices only.
std::map<LossGroup, std::vector<std::int64_t>> divide(const ObjectiveOptions& options,
                                                      const Batch& batch, std::int64_t step) {
  const std::vector<LossGroup>& pattern = options.pattern_at(step);
  const bool weak = options.guidance.kind == Unconditional::kWeakPath;
  const std::vector<bool> drops_path = draw_dropped(weak ? options.guidance.path_drop : 0,
                                                    options.key(kPathDrop, step), batch.indices);
  std::map<LossGroup, std::vector<std::int64_t>> positions;
  for (std::size_t i = 0; i < batch.size(); ++i) {
    LossGroup group = pattern[static_cast<std::size_t>(batch.indices[i]) % pattern.size()];
    if (group == LossGroup::kFlowMatching && drops_path[i]) group = LossGroup::kWeakPath;
    positions[group].push_back(static_cast<std::int64_t>(i));
  }
  return positions;
}

void check_pattern(const std::vector<LossGroup>& pattern) {
  if (std::find(pattern.begin(), pattern.end(), LossGroup::kDistributionMatching) == pattern.end())
    return;
  throw InvalidArgument(
      "[objective] the pattern holds kDistributionMatching, which only OnPolicyObjective trains; "
      "use "
      "kFlowMatching, kSolutionConsistency, kMeanVelocityAdditivity or kWeakPath");
}

}  // namespace

EFlowObjective::EFlowObjective(ObjectiveOptions options) : options_(std::move(options)) {
  check_pattern(options_.pattern);
  check_pattern(options_.mva.pattern);
  static_cast<void>(kept_count(options_.drop, options_.grid));
}

SampleLosses EFlowObjective::fm_losses(const Network& network, const SampleContext& context) const {
  const PerSample t = times_alone(context.draw(options_.times.fm_t, kTimeT));  // t ~ p_t
  const auto [x_t, v] = context.point(t);                                      // Eq. 1
  const TargetFactors factors = context.factors(t);                            // w, m
  const Tensor v_uncond = context.target_uncond(network, x_t, t, factors);     // Eq. 10
  const Tensor F = context.full(network, x_t, t, t);                           // F(x_t, t, t)
  const Tensor v_tgt = target_velocity(factors, v, v_uncond, F.detach());      // Eq. 11
  return fm_loss(F, v_tgt, options_.weight);                                   // Eq. 3
}

SampleLosses EFlowObjective::weak_path_losses(const Network& network,
                                              const SampleContext& context) const {
  const PerSample t = times_alone(context.draw(options_.times.fm_t, kTimeT));  // t ~ p_t
  const auto [x_t, v] = context.point(t);                                      // Eq. 1
  const Tensor F = context.unconditional(network, x_t, t);                     // Eq. 10
  return fm_loss(F, v, options_.weight);                                       // Eq. 3
}

SampleLosses EFlowObjective::scm_losses(const Network& network, const SampleContext& context,
                                        std::int64_t step) const {
  const auto [t, l, s] = ordered_times(context.draw(options_.times.scm_t, kTimeT),  // s < l < t
                                       context.draw(options_.times.scm_s, kTimeS),
                                       options_.ratio.at(step));  // r(k)
  const auto [x_t, v] = context.point(t);                         // Eq. 1
  const TargetFactors factors = context.factors(t);               // w, m
  Tensor v_tgt, F_l;
  {
    const NoGrad off;                                                         // sg, theta
    const Tensor v_uncond = context.target_uncond(network, x_t, t, factors);  // Eq. 10
    const Tensor F_v = factors.needs_own() ? context.full(network, x_t, t, t) : Tensor();
    v_tgt = target_velocity(factors, v, v_uncond, F_v);  // Eq. 11
    const Tensor x_l = advance(x_t, v_tgt, t, l);        // Eq. 4
    F_l = context.full(network, x_l, l, s);
  }
  const Tensor F_t = context.full(network, x_t, t, s);
  const Tensor dq = solution_drift(v_tgt, F_t.detach(), F_l, t, l, s);  // (f_t - f_l) / (t - l)
  SampleLosses losses = scm_loss(F_t, dq, options_.weight, options_.scm_scale);  // Eq. 4
  losses.target = mean_square(v_tgt);
  return losses;
}

SampleLosses EFlowObjective::mva_losses(const Networks& networks,
                                        const SampleContext& context) const {
  const auto [t, l, s] = context.jumps();  // s < l < t
  const auto [x_t, v] = context.point(t);  // Eq. 1
  Tensor F_star;
  {
    const NoGrad off;  // sg, theta-
    const Tensor y = context.full(networks.average, x_t, t, l);
    const Tensor x_l = advance(x_t, y, t, l);  // f(x_t, t, l)
    const Tensor z = context.full(networks.average, x_l, l, s);
    F_star = mva_target(y, z, t, l, s);  // (x_t - f*) / (t - s)
  }
  const Tensor F = context.full(networks.online, x_t, t, s);
  return mva_loss(F, F_star, t, s, options_.mva.weight, options_.weight);  // Eq. 12
}

SampleLosses EFlowObjective::losses_of(LossGroup group, const Networks& networks, Batch part,
                                       std::int64_t step) const {
  const bool may_drop =
      group == LossGroup::kFlowMatching || group == LossGroup::kSolutionConsistency;
  const SampleContext context(options_, std::move(part), step, may_drop);
  switch (group) {
    case LossGroup::kFlowMatching:
      return fm_losses(networks.online, context);
    case LossGroup::kWeakPath:
      return weak_path_losses(networks.online, context);
    case LossGroup::kSolutionConsistency:
      return scm_losses(networks.online, context, step);
    case LossGroup::kMeanVelocityAdditivity:
      return mva_losses(networks, context);
    case LossGroup::kDistributionMatching:  // refused by the constructor
      break;
  }
  return {};
}

StepLoss EFlowObjective::operator()(const Networks& networks, const Batch& batch, std::int64_t step,
                                    std::int64_t batch_total) const {
  batch.check();
  const auto total = static_cast<double>(batch_total > 0 ? batch_total : batch.x0.size(0));
  StepLoss result;
  std::vector<GroupResult> groups;
  for (const auto& [group, positions] : divide(options_, batch, step)) {
    if (group == LossGroup::kMeanVelocityAdditivity && !networks.average) {
      throw InvalidArgument("[objective] mean-velocity additivity requires the averaged network");
    }
    const Batch part = batch.rows(positions);
    groups.push_back({group, part.indices, losses_of(group, networks, part, step)});
    const Tensor share = sum(groups.back().losses.loss) / total;
    result.total = result.total.defined() ? result.total + share : share;
  }
  result.samples = read_back(groups);
  return result;
}

}  // namespace eflow::soflow
