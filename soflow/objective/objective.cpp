// A training step: divides the batch over the loss groups, evaluates the trained network once at
// the samples of all groups, each at its own (t, s), and the weak path once.
// [arXiv 2603.27086, Alg. 1]

#include "eflow/soflow/objective/objective.hpp"

#include <algorithm>
#include <map>

#include "eflow/core/base/error.hpp"
#include "eflow/core/tensor/ops.hpp"
#include "eflow/soflow/objective/group_losses.hpp"
#include "eflow/soflow/objective/purpose.hpp"

namespace eflow::soflow {
namespace {

using Positions = std::vector<std::int64_t>;

struct GroupResult {
  LossGroup group;
  Positions indices;
  SampleLosses losses;
};

/// The batch positions of each group's samples, in the order of the enum. They depend on the
/// samples' global indices only.
std::map<LossGroup, Positions> divide(const ObjectiveOptions& options, const Batch& batch,
                                      std::int64_t step) {
  const std::vector<LossGroup>& pattern = options.pattern_at(step);
  const bool weak = options.guidance.kind == Unconditional::kWeakPath;
  const std::vector<bool> drops_path = draw_dropped(weak ? options.guidance.path_drop : 0,
                                                    options.key(kPathDrop, step), batch.indices);
  std::map<LossGroup, Positions> positions;
  for (std::size_t i = 0; i < batch.size(); ++i) {
    LossGroup group = pattern[static_cast<std::size_t>(batch.indices[i]) % pattern.size()];
    if (group == LossGroup::kFlowMatching && drops_path[i]) group = LossGroup::kWeakPath;
    positions[group].push_back(static_cast<std::int64_t>(i));
  }
  return positions;
}

/// Whether the group is trained towards the target velocity of Eq. 11, with guidance and with
/// samples that lose their label.
bool is_guided(LossGroup group) {
  return group == LossGroup::kFlowMatching || group == LossGroup::kSolutionConsistency;
}

bool is_full_path(LossGroup group) {
  return group != LossGroup::kWeakPath;
}

/// A batch divided over its groups.
class DividedBatch {
 public:
  DividedBatch(const ObjectiveOptions& options, const Batch& batch, std::int64_t step)
      : options_(options), batch_(batch), step_(step), positions_(divide(options, batch, step)) {}

  [[nodiscard]] std::vector<LossGroup> groups(bool (*chosen)(LossGroup)) const {
    std::vector<LossGroup> groups;
    for (const auto& [group, at] : positions_)
      if (chosen(group)) groups.push_back(group);
    return groups;
  }
  [[nodiscard]] bool has(LossGroup group) const { return positions_.contains(group); }
  [[nodiscard]] std::int64_t count(LossGroup group) const {
    return static_cast<std::int64_t>(positions_.at(group).size());
  }
  [[nodiscard]] std::int64_t count(const std::vector<LossGroup>& groups) const {
    std::int64_t total = 0;
    for (const LossGroup group : groups) total += count(group);
    return total;
  }
  [[nodiscard]] Positions indices(LossGroup group) const {
    Positions indices;
    for (const std::int64_t i : positions_.at(group))
      indices.push_back(batch_.indices[static_cast<std::size_t>(i)]);
    return indices;
  }
  /// The context of the groups' samples, group by group.
  [[nodiscard]] SampleContext context(const std::vector<LossGroup>& groups) const {
    Positions all;
    std::vector<bool> may_drop;
    for (const LossGroup group : groups) {
      const Positions& at = positions_.at(group);
      all.insert(all.end(), at.begin(), at.end());
      may_drop.insert(may_drop.end(), at.size(), is_guided(group));
    }
    return {options_, batch_.rows(all), step_, may_drop};
  }

 private:
  const ObjectiveOptions& options_;
  const Batch& batch_;
  std::int64_t step_;
  std::map<LossGroup, Positions> positions_;
};

void append(const Times& from, Times* to) {
  const auto add = [](const PerSample& values, PerSample* all) {
    all->insert(all->end(), values.begin(), values.end());
  };
  add(from.t, &to->t);
  add(from.l, &to->l);
  add(from.s, &to->s);
}

/// The first values, one for each of `count` samples.
PerSample head(const PerSample& values, std::int64_t count) {
  return {values.begin(), values.begin() + count};
}

/// v_uncond of the guided samples, which come first among those of x_t. [Eq. 10]
Tensor unconditional_velocity(const Network& network, const DividedBatch& samples,
                              const Tensor& x_t, const PerSample& t) {
  const std::vector<LossGroup> guided = samples.groups(is_guided);
  if (guided.empty()) return {};
  const std::int64_t count = samples.count(guided);
  const SampleContext context = samples.context(guided);
  const PerSample times = head(t, count);
  return context.target_uncond(network, narrow(x_t, 0, 0, count), times, context.factors(times));
}

/// FM, SCM and MVA: one pass with gradient at the samples of all of them.
std::vector<GroupResult> full_path_losses(const ObjectiveOptions& options, const Networks& networks,
                                          const DividedBatch& samples, std::int64_t step) {
  const std::vector<LossGroup> groups = samples.groups(is_full_path);
  if (groups.empty()) return {};
  Times times;
  std::vector<GroupSamples> parts;
  std::vector<std::int64_t> sizes;
  for (const LossGroup group : groups) {
    parts.push_back({.context = samples.context({group})});
    parts.back().times = draw_group_times(options, group, parts.back().context, step);
    append(parts.back().times, &times);
    sizes.push_back(samples.count(group));
  }
  const SampleContext context = samples.context(groups);
  const auto [x_t, v] = context.point(times.t);  // Eq. 1
  const Tensor v_uncond = unconditional_velocity(networks.online, samples, x_t, times.t);

  std::vector<LossOf> losses;
  for (std::int64_t i = 0, first = 0; i < std::ssize(groups); first += sizes[i++]) {
    GroupSamples& part = parts[i];
    part.x_t = narrow(x_t, 0, first, sizes[i]);
    part.v = narrow(v, 0, first, sizes[i]);
    if (is_guided(groups[i]) && v_uncond.defined())
      part.v_uncond = narrow(v_uncond, 0, first, sizes[i]);
    losses.push_back(loss_of(options, networks, groups[i], part));
  }
  const std::vector<Tensor> F =
      split(context.full(networks.online, x_t, times.t, times.s), sizes, 0);
  std::vector<GroupResult> results;
  for (std::size_t i = 0; i < groups.size(); ++i)
    results.push_back({groups[i], samples.indices(groups[i]), losses[i](F[i])});
  return results;
}

/// FM of the weak path alone.
GroupResult weak_path_losses(const ObjectiveOptions& options, const Network& network,
                             const DividedBatch& samples, std::int64_t step) {
  constexpr LossGroup kGroup = LossGroup::kWeakPath;
  const SampleContext context = samples.context({kGroup});
  const PerSample t = draw_group_times(options, kGroup, context, step).t;
  const auto [x_t, v] = context.point(t);                                   // Eq. 1
  const Tensor F = context.unconditional(network, x_t, t);                  // Eq. 10
  return {kGroup, samples.indices(kGroup), fm_loss(F, v, options.weight)};  // Eq. 3
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

StepLoss EFlowObjective::operator()(const Networks& networks, const Batch& batch, std::int64_t step,
                                    std::int64_t batch_total) const {
  batch.check();
  const DividedBatch samples(options_, batch, step);
  if (samples.has(LossGroup::kMeanVelocityAdditivity) && !networks.average)
    throw InvalidArgument("[objective] mean-velocity additivity requires the averaged network");
  std::vector<GroupResult> results = full_path_losses(options_, networks, samples, step);
  if (samples.has(LossGroup::kWeakPath))
    results.push_back(weak_path_losses(options_, networks.online, samples, step));

  const auto total = static_cast<double>(batch_total > 0 ? batch_total : batch.x0.size(0));
  StepLoss result;
  for (const GroupResult& group : results) {
    const Tensor share = sum(group.losses.loss) / total;
    result.total = result.total.defined() ? result.total + share : share;
    result.unread.push_back({group.group, group.indices, group.losses.loss.detach(),
                             group.losses.mse, group.losses.target});
  }
  return result;
}

}  // namespace eflow::soflow
