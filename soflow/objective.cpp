#include "eflow/soflow/objective.hpp"

#include <cmath>
#include <limits>

#include "eflow/base/error.hpp"
#include "eflow/soflow/interpolant.hpp"
#include "eflow/soflow/purpose.hpp"

namespace eflow::soflow {
namespace {

/// What both losses start from: a point on each sample's path and the velocity to be learned there.
struct PathPoint {
  Tensor x_t, v;
  PathPoint(const Batch& batch, const RandomKey& key, const PerSample& t) {
    const Tensor x1 =
        random_normal(batch.x0.shape(), key, batch.indices, batch.x0.dtype(), batch.x0.device());
    x_t = interpolate(batch.x0, x1, t);
    v = path_velocity(batch.x0, x1);
  }
};

/// F(x_t, t, t | no condition), where any factor asks for it.
Tensor unconditional_velocity(const Network& network, const Batch& batch, const PathPoint& at,
                              const PerSample& t, const TargetFactors& factors,
                              std::int64_t null_label) {
  if (!factors.needs_unconditional()) return {};
  const NoGrad off;
  const std::vector<bool> all(batch.size(), true);
  return evaluate(network, at.x_t, t, t, condition_of(batch, all, null_label));
}

std::vector<std::int64_t> positions_of(const Batch& batch, const std::vector<LossGroup>& pattern,
                                       LossGroup group) {
  std::vector<std::int64_t> positions;
  for (std::size_t i = 0; i < batch.size(); ++i) {
    const auto place = static_cast<std::size_t>(batch.indices[i]) % pattern.size();
    if (pattern[place] == group) positions.push_back(static_cast<std::int64_t>(i));
  }
  return positions;
}

struct GroupResult {
  LossGroup group;
  std::vector<std::int64_t> indices;
  SampleLosses losses;
};

/// Waits for the device, so it comes after all work has been issued.
std::vector<SampleRecord> read_back(const std::vector<GroupResult>& groups) {
  std::vector<SampleRecord> samples;
  for (const GroupResult& result : groups) {
    const auto loss = result.losses.loss.to_vector<double>();
    const auto mse = result.losses.mse.to_vector<double>();
    for (std::size_t i = 0; i < loss.size(); ++i) {
      samples.push_back({result.indices[i], result.group, loss[i], mse[i]});
    }
  }
  return samples;
}

template <class Value>
double mean_of(const std::vector<SampleRecord>& samples, LossGroup group, Value value) {
  double sum = 0;
  int count = 0;
  for (const SampleRecord& sample : samples) {
    if (sample.group != group) continue;
    sum += value(sample);
    ++count;
  }
  return count > 0 ? sum / count : std::numeric_limits<double>::quiet_NaN();
}

}  // namespace

std::vector<LossGroup> loss_pattern(double fm_share) {
  if (!(fm_share >= 0 && fm_share <= 1)) {
    throw InvalidArgument(str("[objective] fm_share must be in [0, 1], found ", fm_share));
  }
  int size = 1;
  const auto is_whole = [&] {
    return std::abs(fm_share * size - std::round(fm_share * size)) < 1e-9;
  };
  while (size < 64 && !is_whole()) ++size;
  const auto count = static_cast<int>(std::lround(fm_share * size));
  std::vector<LossGroup> pattern;
  for (int i = 0; i < size; ++i) {
    const bool fm = (i + 1) * count / size > i * count / size;
    pattern.push_back(fm ? LossGroup::kFlowMatching : LossGroup::kConsistency);
  }
  return pattern;
}

double mean_loss(const std::vector<SampleRecord>& samples, LossGroup group) {
  return mean_of(samples, group, [](const SampleRecord& sample) { return sample.loss; });
}

double mean_mse(const std::vector<SampleRecord>& samples, LossGroup group) {
  return mean_of(samples, group, [](const SampleRecord& sample) { return sample.mse; });
}

RandomKey SoFlowObjective::key(std::uint32_t purpose, std::int64_t step) const {
  return {.seed = options_.seed, .purpose = purpose, .step = static_cast<std::uint64_t>(step)};
}

std::vector<bool> SoFlowObjective::draw_dropped(const Batch& batch, std::int64_t step) const {
  std::vector<bool> dropped(batch.size(), false);
  if (options_.guidance.label_drop <= 0) return dropped;
  const auto count = static_cast<std::int64_t>(batch.size());
  const auto u = random_uniform({count}, key(kLabelDrop, step), batch.indices).to_vector<double>();
  for (std::size_t i = 0; i < u.size(); ++i) dropped[i] = u[i] < options_.guidance.label_drop;
  return dropped;
}

SampleLosses SoFlowObjective::flow_matching(const Network& network, const Batch& batch,
                                            std::int64_t step) const {
  const PerSample t =
      ordered_times(draw_times(options_.times.fm_t, key(kTimeT, step), batch.indices),
                    PerSample(batch.size(), 0), 1)
          .t;
  const PathPoint at(batch, key(kNoise, step), t);
  const std::vector<bool> dropped = draw_dropped(batch, step);
  const TargetFactors factors(options_.guidance, t, dropped);
  const std::int64_t null_label = options_.guidance.null_label;

  const Tensor v_uncond = unconditional_velocity(network, batch, at, t, factors, null_label);
  const Tensor f = evaluate(network, at.x_t, t, t, condition_of(batch, dropped, null_label));
  const Tensor v_tgt = target_velocity(factors, at.v, v_uncond, f.detach());
  return flow_matching_loss(f, v_tgt, options_.weight);
}

SampleLosses SoFlowObjective::consistency(const Network& network, const Batch& batch,
                                          std::int64_t step) const {
  const auto [t, l, s] = ordered_times(
      draw_times(options_.times.scm_t, key(kTimeT, step), batch.indices),
      draw_times(options_.times.scm_s, key(kTimeS, step), batch.indices), options_.ratio.at(step));
  const PathPoint at(batch, key(kNoise, step), t);
  const std::vector<bool> dropped = draw_dropped(batch, step);
  const TargetFactors factors(options_.guidance, t, dropped);
  const std::int64_t null_label = options_.guidance.null_label;
  const nn::Condition c = condition_of(batch, dropped, null_label);

  Tensor v_tgt, f_l;
  {
    const NoGrad off;
    const Tensor v_uncond = unconditional_velocity(network, batch, at, t, factors, null_label);
    const Tensor own = factors.needs_own() ? evaluate(network, at.x_t, t, t, c) : Tensor();
    v_tgt = target_velocity(factors, at.v, v_uncond, own);
    f_l = evaluate(network, advance(at.x_t, v_tgt, t, l), l, s, c);
  }
  const Tensor f_t = evaluate(network, at.x_t, t, s, c);
  const Tensor dq = solution_drift(v_tgt, f_t.detach(), f_l, t, l, s);
  return consistency_loss(f_t, dq, options_.weight, options_.scm_scale);
}

StepLoss SoFlowObjective::operator()(const Network& network, const Batch& batch, std::int64_t step,
                                     std::int64_t batch_total) const {
  batch.check();
  const auto total = static_cast<double>(batch_total > 0 ? batch_total : batch.x0.size(0));
  StepLoss result;
  std::vector<GroupResult> groups;
  for (const LossGroup group : {LossGroup::kFlowMatching, LossGroup::kConsistency}) {
    const auto positions = positions_of(batch, options_.pattern, group);
    if (positions.empty()) continue;
    const Batch part = batch.rows(positions);
    const SampleLosses losses = group == LossGroup::kFlowMatching
                                    ? flow_matching(network, part, step)
                                    : consistency(network, part, step);
    const Tensor share = sum(losses.loss) / total;
    result.total = result.total.defined() ? result.total + share : share;
    groups.push_back({group, part.indices, losses});
  }
  result.samples = read_back(groups);
  return result;
}

PerSample held_out_error(const Network& network, const Batch& batch, const LogitNormal& law,
                         std::uint64_t seed) {
  batch.check();
  const NoGrad off;
  const RandomKey time{.seed = seed, .purpose = kHeldOutTime};
  const RandomKey noise{.seed = seed, .purpose = kHeldOutNoise};
  const PerSample t = draw_times(law, time, batch.indices);
  const PathPoint at(batch, noise, t);
  const nn::Condition c = condition_of(batch, std::vector<bool>(batch.size(), false), -1);
  return flow_matching_loss(evaluate(network, at.x_t, t, t, c), at.v, {}).mse.to_vector<double>();
}

}  // namespace eflow::soflow
