// Algorithm 1 of arXiv 2603.27086. One function for each kind of sample, each from its times to its
// loss; Eq. and line numbers are the paper's.

#include "eflow/soflow/objective.hpp"

#include "eflow/base/error.hpp"
#include "eflow/soflow/interpolant.hpp"
#include "eflow/soflow/passes.hpp"
#include "eflow/soflow/purpose.hpp"

namespace eflow::soflow {
namespace {

/// t >= margin, without an s.
PerSample times_alone(PerSample t) {
  const PerSample data(t.size(), 0);
  return ordered_times(std::move(t), data, 1).t;
}

struct GroupResult {
  LossGroup group;
  std::vector<std::int64_t> indices;
  SampleLosses losses;
};

/// Waits for the device, so it comes after all work has been issued.
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

/// Positions in the batch of each group's samples, by their global indices alone.
std::vector<std::vector<std::int64_t>> divide(const ObjectiveOptions& options, const Batch& batch,
                                              std::int64_t step) {
  const std::vector<LossGroup>& pattern = options.pattern_at(step);
  const bool weak = options.guidance.kind == Unconditional::kWeakPath;
  const std::vector<bool> drops_path = draw_dropped(weak ? options.guidance.path_drop : 0,
                                                    options.key(kPathDrop, step), batch.indices);
  std::vector<std::vector<std::int64_t>> positions(4);
  for (std::size_t i = 0; i < batch.size(); ++i) {
    LossGroup group = pattern[static_cast<std::size_t>(batch.indices[i]) % pattern.size()];
    if (group == LossGroup::kFlowMatching && drops_path[i]) group = LossGroup::kWeakPath;
    positions[static_cast<std::size_t>(group)].push_back(static_cast<std::int64_t>(i));
  }
  return positions;
}

}  // namespace

EFlowObjective::EFlowObjective(ObjectiveOptions options) : options_(std::move(options)) {
  static_cast<void>(kept_count(options_.drop, options_.grid));
}

SampleLosses EFlowObjective::flow_matching(const Network& network, const Passes& pass) const {
  const PerSample t = times_alone(pass.draw(options_.times.fm_t, kTimeT));  // t ~ p_t
  const auto [x_t, v] = pass.point(t);                                      // Eq. 1
  const TargetFactors factors = pass.factors(t);                            // w, m
  const Tensor v_weak = pass.weak_target(network, x_t, t, factors);         // Eq. 10
  const Tensor f = pass.full(network, x_t, t, t);                           // F(x_t, t, t)
  const Tensor v_tgt = target_velocity(factors, v, v_weak, f.detach());     // Eq. 11
  return flow_matching_loss(f, v_tgt, options_.weight);                     // Eq. 3
}

SampleLosses EFlowObjective::weak_path(const Network& network, const Passes& pass) const {
  const PerSample t = times_alone(pass.draw(options_.times.fm_t, kTimeT));  // t ~ p_t
  const auto [x_t, v] = pass.point(t);                                      // Eq. 1
  const Tensor f = pass.weak(network, x_t, t);                              // Eq. 10
  return flow_matching_loss(f, v, options_.weight);                         // Eq. 3
}

SampleLosses EFlowObjective::consistency(const Network& network, const Passes& pass,
                                         std::int64_t step) const {
  const auto [t, l, s] = ordered_times(pass.draw(options_.times.scm_t, kTimeT),  // s < l < t
                                       pass.draw(options_.times.scm_s, kTimeS),
                                       options_.ratio.at(step));  // r(k)
  const auto [x_t, v] = pass.point(t);                            // Eq. 1
  const TargetFactors factors = pass.factors(t);                  // w, m
  Tensor v_tgt, f_l;
  {
    const NoGrad off;                                                  // sg, theta
    const Tensor v_weak = pass.weak_target(network, x_t, t, factors);  // Eq. 10
    const Tensor f_v = factors.needs_own() ? pass.full(network, x_t, t, t) : Tensor();
    v_tgt = target_velocity(factors, v, v_weak, f_v);  // Eq. 11
    const Tensor x_l = advance(x_t, v_tgt, t, l);      // Eq. 4
    f_l = pass.full(network, x_l, l, s);
  }
  const Tensor f_t = pass.full(network, x_t, t, s);
  const Tensor dq = solution_drift(v_tgt, f_t.detach(), f_l, t, l, s);  // (f_t - f_l) / (t - l)
  SampleLosses losses = consistency_loss(f_t, dq, options_.weight, options_.scm_scale);  // Eq. 4
  losses.target = mean_square(v_tgt);
  return losses;
}

SampleLosses EFlowObjective::additivity(const Networks& networks, const Passes& pass) const {
  const auto [t, l, s] = pass.jumps();  // s < l < t
  const auto [x_t, v] = pass.point(t);  // Eq. 1
  Tensor joined;
  {
    const NoGrad off;  // sg, theta-
    const Tensor y = pass.full(networks.average, x_t, t, l);
    const Tensor x_l = advance(x_t, y, t, l);  // f(x_t, t, l)
    const Tensor z = pass.full(networks.average, x_l, l, s);
    joined = joined_velocity(y, z, t, l, s);  // to f*
  }
  const Tensor f = pass.full(networks.online, x_t, t, s);
  return additivity_loss(f, joined, t, s, options_.additivity.weight, options_.weight);  // Eq. 12
}

SampleLosses EFlowObjective::losses_of(LossGroup group, const Networks& networks, Batch part,
                                       std::int64_t step) const {
  const bool may_drop = group == LossGroup::kFlowMatching || group == LossGroup::kConsistency;
  const Passes pass(options_, std::move(part), step, may_drop);
  switch (group) {
    case LossGroup::kFlowMatching:
      return flow_matching(networks.online, pass);
    case LossGroup::kWeakPath:
      return weak_path(networks.online, pass);
    case LossGroup::kConsistency:
      return consistency(networks.online, pass, step);
    case LossGroup::kAdditivity:
      return additivity(networks, pass);
    case LossGroup::kMatching:  // no sample of this objective's
      break;
  }
  return {};
}

StepLoss EFlowObjective::operator()(const Networks& networks, const Batch& batch, std::int64_t step,
                                    std::int64_t batch_total) const {
  batch.check();
  const auto total = static_cast<double>(batch_total > 0 ? batch_total : batch.x0.size(0));
  const auto positions = divide(options_, batch, step);
  StepLoss result;
  std::vector<GroupResult> groups;
  for (std::size_t i = 0; i < positions.size(); ++i) {
    if (positions[i].empty()) continue;
    const auto group = static_cast<LossGroup>(i);
    if (group == LossGroup::kAdditivity && !networks.average) {
      throw InvalidArgument("[objective] additivity needs the averaged network");
    }
    const Batch part = batch.rows(positions[i]);
    groups.push_back({group, part.indices, losses_of(group, networks, part, step)});
    const Tensor share = sum(groups.back().losses.loss) / total;
    result.total = result.total.defined() ? result.total + share : share;
  }
  result.samples = read_back(groups);
  return result;
}

}  // namespace eflow::soflow
