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

bool is_point(const Batch& batch, std::size_t i) {
  return anyflow_jump(batch.indices[i]) == AnyFlowJump::kPoint;
}

/// Sum and number of the points' losses beta(t) mse.
struct PointLosses {
  double sum = 0, count = 0;
  void add(const Batch& batch, const PerSample& t, const PerSample& mse) {
    for (std::size_t i = 0; i < t.size(); ++i) {
      if (!is_point(batch, i)) continue;
      sum += anyflow_weight(t[i]) * mse[i];
      count += 1;
    }
  }
  [[nodiscard]] std::optional<double> mean() const {
    return count > 0 ? std::optional(sum / count) : std::nullopt;
  }
};

/// beta(t) of each sample; for jumps, times `level` over the jump's own loss.
PerSample weights_of(const Batch& batch, const PerSample& t, const PerSample& mse,
                     std::optional<double> level) {
  PerSample weights;
  for (std::size_t i = 0; i < t.size(); ++i) {
    weights.push_back(anyflow_weight(t[i]));
    if (level && !is_point(batch, i)) weights[i] *= *level / (weights[i] * mse[i] + 1e-5);
  }
  return weights;
}

/// The batch's points alone.
Batch points_of(const Batch& batch) {
  std::vector<std::int64_t> positions;
  for (std::size_t i = 0; i < batch.size(); ++i) {
    if (is_point(batch, i)) positions.push_back(static_cast<std::int64_t>(i));
  }
  return positions.empty() ? Batch() : batch.rows(positions);
}

/// What the samples of a batch share: their intervals, their points on the path and their
/// conditions.
struct Passes {
  Passes(const AnyFlowOptions& options, const Batch& batch, std::int64_t step)
      : intervals(draw_intervals(options, batch, step)),
        at(batch, options.key(kNoise, step), intervals.t),
        conditioned(),
        unconditioned(
            condition_of(batch, std::vector<bool>(batch.size(), true), options.null_label)) {
    const auto dropped =
        draw_dropped(options.label_drop, options.key(kLabelDrop, step), batch.indices);
    conditioned = condition_of(batch, dropped, options.null_label);
    for (nn::Condition* each : {&conditioned, &unconditioned})
      give_frames(options.given, options.key(kGivenFrames, step), batch, each);
    if (options.causal) conditioned.clean = unconditioned.clean = batch.x0;
    for (const bool drop : dropped) inverse_g.push_back(drop ? 1 : 1 / options.guidance);
  }

  Intervals intervals;
  PathPoint at;
  nn::Condition conditioned, unconditioned;
  PerSample inverse_g;  // 1 / g
};

/// F_hat = (F - (1 - g) sg F_null) / g at (t, r).
Tensor guided_map(const Network& network, const AnyFlowOptions& options, const Passes& p) {
  const auto& [t, r] = p.intervals;
  const Tensor F = evaluate(network, p.at.x_t, t, r, p.conditioned);
  if (options.guidance == 1) return F;
  Tensor rest;
  {
    const NoGrad off;
    const Tensor F_null = evaluate(network, p.at.x_t, t, r, p.unconditioned);
    rest = F_null - F_null * as_factors(p.inverse_g, F_null);
  }
  return mul_add(as_factors(p.inverse_g, F), F, rest);
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

std::optional<double> AnyFlowObjective::level(const Network& network,
                                              const std::vector<Batch>& parts,
                                              std::int64_t step) const {
  const NoGrad off;
  PointLosses losses;
  for (const Batch& part : parts) {
    part.check();
    const Batch points = points_of(part);
    if (points.size() == 0) continue;
    const Passes p(options_, points, step);
    // t = r, so the target is v.
    losses.add(points, p.intervals.t,
               mean_square(guided_map(network, options_, p) - p.at.v).to_vector<double>());
  }
  return losses.mean();
}

StepLoss AnyFlowObjective::operator()(const Network& network, const Batch& batch, std::int64_t step,
                                      std::int64_t batch_total, std::optional<double> level) const {
  batch.check();
  const Passes p(options_, batch, step);
  const auto& [t, r] = p.intervals;
  PerSample gap;  // (t - r) / g
  for (std::size_t i = 0; i < t.size(); ++i) gap.push_back((t[i] - r[i]) * p.inverse_g[i]);
  const Tensor F_hat = guided_map(network, options_, p);
  const Tensor dF_dt = time_derivative(network, p.at, p.intervals, options_.step, p.conditioned);
  const Tensor y = p.at.v - dF_dt * as_factors(gap, dF_dt);

  const SampleLosses square = fm_loss(F_hat, y, {.p = 0});
  const PerSample mse = square.mse.to_vector<double>();
  if (!level) {
    PointLosses losses;
    losses.add(batch, t, mse);
    level = losses.mean();
  }
  const PerSample weights = weights_of(batch, t, mse, level);
  const auto total = static_cast<double>(batch_total > 0 ? batch_total : batch.x0.size(0));
  StepLoss result;
  result.total = sum(square.loss * as_times(weights, square.loss)) / total;
  const PerSample v_square = mean_square(p.at.v).to_vector<double>();
  for (std::size_t i = 0; i < t.size(); ++i) {
    result.records.push_back(
        {batch.indices[i],
         is_point(batch, i) ? LossGroup::kFlowMatching : LossGroup::kSolutionConsistency,
         weights[i] * mse[i], mse[i], v_square[i]});
  }
  return result;
}

}  // namespace eflow::soflow
