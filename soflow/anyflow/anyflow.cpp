#include "eflow/soflow/anyflow/anyflow.hpp"

#include <algorithm>
#include <cmath>

#include "eflow/core/tensor/ops.hpp"
#include "eflow/soflow/objective/guidance.hpp"
#include "eflow/soflow/objective/interpolant.hpp"
#include "eflow/soflow/objective/losses.hpp"
#include "eflow/soflow/objective/purpose.hpp"
#include "eflow/soflow/objective/sample_context.hpp"

namespace eflow::soflow {
namespace {

/// The interval of each sample, t >= r.
struct Intervals {
  PerSample t = {}, r = {};
};

Intervals draw_intervals(const AnyFlowOptions& options, const Batch& batch, std::int64_t step) {
  const auto count = static_cast<std::int64_t>(batch.size());
  const PerSample u = uniform_values({count, 2}, options.key(kTimeT, step), batch.indices);
  Intervals intervals;
  for (std::size_t i = 0; i < batch.size(); ++i) {
    const auto [low, high] = std::minmax(u[2 * i], u[2 * i + 1]);
    const AnyFlowJump jump = anyflow_jump(batch.indices[i]);
    const double t = std::max(shift_time(high, options.shift), kTimeMargin);
    const double free = std::min(t, shift_time(low, options.shift));
    intervals.t.push_back(t);
    intervals.r.push_back(jump == AnyFlowJump::kPoint    ? t
                          : jump == AnyFlowJump::kToData ? 0
                                                         : free);
  }
  return intervals;
}

/// dF/dt along v: a central difference over at most [t - h, t + h], clamped to [0, 1].
Tensor time_derivative(const Network& network, const PathPoint& at, const Intervals& intervals,
                       double h, const nn::Condition& condition) {
  const NoGrad off;
  const auto& [t, r] = intervals;
  PerSample before = t, after = t, rate(t.size());
  for (std::size_t i = 0; i < rate.size(); ++i) {
    before[i] = std::max(0.0, t[i] - h);
    after[i] = std::min(1.0, t[i] + h);
    rate[i] = 1 / (after[i] - before[i]);
  }
  const auto F = [&](const PerSample& time) {
    return evaluate(network, advance(at.x_t, at.v, t, time), time, r, condition);
  };
  const Tensor F_after = F(after), F_before = F(before);
  return (F_after - F_before) * as_factors(rate, at.v);
}

/// beta(t) of each sample; for jumps, times the mean point loss over the jump's own loss.
PerSample weights_of(const Batch& batch, const PerSample& t, const PerSample& mse) {
  PerSample weights;
  double level = 0, points = 0;
  for (std::size_t i = 0; i < t.size(); ++i) {
    weights.push_back(anyflow_weight(t[i]));
    if (anyflow_jump(batch.indices[i]) != AnyFlowJump::kPoint) continue;
    level += weights[i] * mse[i];
    points += 1;
  }
  for (std::size_t i = 0; i < t.size() && points > 0; ++i) {
    if (anyflow_jump(batch.indices[i]) == AnyFlowJump::kPoint) continue;
    weights[i] *= level / points / (weights[i] * mse[i] + 1e-5);
  }
  return weights;
}

}  // namespace

AnyFlowJump anyflow_jump(std::int64_t index) {
  if (index % 2 == 0) return AnyFlowJump::kPoint;
  return index % 4 == 1 ? AnyFlowJump::kToData : AnyFlowJump::kFree;
}

double anyflow_weight(double t) {
  static const double mean = [] {
    double sum = 0;
    for (int n = 0; n <= 1000; ++n) sum += n / 1000.0 * std::sqrt(1 - n / 1000.0);
    return sum / 1001;
  }();
  return t * std::sqrt(std::max(0.0, 1 - t)) / mean;
}

StepLoss AnyFlowObjective::operator()(const Network& network, const Batch& batch, std::int64_t step,
                                      std::int64_t batch_total) const {
  batch.check();
  const Intervals intervals = draw_intervals(options_, batch, step);
  const auto& [t, r] = intervals;
  const PathPoint at(batch, options_.key(kNoise, step), t);
  const auto dropped =
      draw_dropped(options_.label_drop, options_.key(kLabelDrop, step), batch.indices);
  nn::Condition conditioned = condition_of(batch, dropped, options_.null_label);
  if (options_.causal) conditioned.clean = batch.x0;
  PerSample inverse_g, gap;  // 1 / g, and (t - r) / g
  for (std::size_t i = 0; i < t.size(); ++i) {
    inverse_g.push_back(dropped[i] ? 1 : 1 / options_.guidance);
    gap.push_back((t[i] - r[i]) * inverse_g[i]);
  }

  const Tensor F = evaluate(network, at.x_t, t, r, conditioned);
  Tensor F_hat = F;
  if (options_.guidance != 1) {
    const NoGrad off;
    nn::Condition unconditioned =
        condition_of(batch, std::vector<bool>(batch.size(), true), options_.null_label);
    unconditioned.clean = conditioned.clean;
    const Tensor F_null = evaluate(network, at.x_t, t, r, unconditioned);
    F_hat = F_null - F_null * as_factors(inverse_g, F_null);
  }
  if (options_.guidance != 1) F_hat = mul_add(as_factors(inverse_g, F), F, F_hat);
  const Tensor dF_dt = time_derivative(network, at, intervals, options_.step, conditioned);
  const Tensor y = at.v - dF_dt * as_factors(gap, dF_dt);

  const SampleLosses square = fm_loss(F_hat, y, {.p = 0});
  const PerSample mse = square.mse.to_vector<double>();
  const PerSample weights = weights_of(batch, t, mse);
  const auto total = static_cast<double>(batch_total > 0 ? batch_total : batch.x0.size(0));
  StepLoss result;
  result.total = sum(square.loss * as_times(weights, square.loss)) / total;
  const PerSample v_square = mean_square(at.v).to_vector<double>();
  for (std::size_t i = 0; i < t.size(); ++i) {
    const bool point = anyflow_jump(batch.indices[i]) == AnyFlowJump::kPoint;
    result.samples.push_back({batch.indices[i],
                              point ? LossGroup::kFlowMatching : LossGroup::kSolutionConsistency,
                              weights[i] * mse[i], mse[i], v_square[i]});
  }
  return result;
}

}  // namespace eflow::soflow
