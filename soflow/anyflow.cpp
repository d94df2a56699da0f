#include "eflow/soflow/anyflow.hpp"

#include <algorithm>
#include <cmath>

#include "eflow/soflow/guidance.hpp"
#include "eflow/soflow/interpolant.hpp"
#include "eflow/soflow/losses.hpp"
#include "eflow/soflow/passes.hpp"
#include "eflow/soflow/purpose.hpp"

namespace eflow::soflow {
namespace {

/// t >= r of each sample.
struct Span {
  PerSample t, r;
};

Span draw_spans(const AnyFlowOptions& options, const Batch& batch, std::int64_t step) {
  const auto count = static_cast<std::int64_t>(batch.size());
  const PerSample u =
      uniform_values({count, 2}, options.key(kTimeT, step), batch.indices);
  Span span;
  for (std::size_t i = 0; i < batch.size(); ++i) {
    const auto [low, high] = std::minmax(u[2 * i], u[2 * i + 1]);
    const AnyFlowJump jump = anyflow_jump(batch.indices[i]);
    const double t = std::max(shift_time(high, options.shift), kTimeMargin);
    const double free = std::min(t, shift_time(low, options.shift));
    span.t.push_back(t);
    span.r.push_back(jump == AnyFlowJump::kPoint ? t : jump == AnyFlowJump::kToData ? 0 : free);
  }
  return span;
}

/// dF/dt along v by a difference of two points, at most h to each side of t and within [0, 1].
Tensor derivative(const Network& network, const PathPoint& at, const Span& span, double h,
                  const nn::Condition& condition) {
  const NoGrad off;
  PerSample before = span.t, after = span.t, rate(span.t.size());
  for (std::size_t i = 0; i < rate.size(); ++i) {
    before[i] = std::max(0.0, span.t[i] - h);
    after[i] = std::min(1.0, span.t[i] + h);
    rate[i] = 1 / (after[i] - before[i]);
  }
  const auto f = [&](const PerSample& time) {
    return evaluate(network, advance(at.x_t, at.v, span.t, time), time, span.r, condition);
  };
  const Tensor above = f(after), below = f(before);
  return (above - below) * as_factors(rate, at.v);
}

/// beta(t), and for jumps the level of the points over their own loss.
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
  const auto [t, r] = draw_spans(options_, batch, step);
  const PathPoint at(batch, options_.key(kNoise, step), t);
  const auto dropped =
      draw_dropped(options_.label_drop, options_.key(kLabelDrop, step), batch.indices);
  nn::Condition told = condition_of(batch, dropped, options_.null_label);
  if (options_.causal) told.clean = batch.x0;
  PerSample g, way;
  for (std::size_t i = 0; i < t.size(); ++i) {
    g.push_back(dropped[i] ? 1 : 1 / options_.guidance);
    way.push_back((t[i] - r[i]) * g[i]);
  }

  const Tensor f = evaluate(network, at.x_t, t, r, told);
  Tensor guided = f;  // F^
  if (options_.guidance != 1) {
    const NoGrad off;
    nn::Condition untold =
        condition_of(batch, std::vector<bool>(batch.size(), true), options_.null_label);
    untold.clean = told.clean;
    const Tensor null = evaluate(network, at.x_t, t, r, untold);
    guided = null - null * as_factors(g, null);
  }
  if (options_.guidance != 1) guided = mul_add(as_factors(g, f), f, guided);
  const Tensor slope = derivative(network, at, {t, r}, options_.step, told);
  const Tensor y = at.v - slope * as_factors(way, slope);

  const SampleLosses square = flow_matching_loss(guided, y, {.p = 0});
  const PerSample mse = square.mse.to_vector<double>();
  const PerSample weights = weights_of(batch, t, mse);
  const auto total = static_cast<double>(batch_total > 0 ? batch_total : batch.x0.size(0));
  StepLoss result;
  result.total = sum(square.loss * as_times(weights, square.loss)) / total;
  const PerSample size = mean_square(at.v).to_vector<double>();
  for (std::size_t i = 0; i < t.size(); ++i) {
    const bool point = anyflow_jump(batch.indices[i]) == AnyFlowJump::kPoint;
    result.samples.push_back({batch.indices[i],
                              point ? LossGroup::kFlowMatching : LossGroup::kConsistency,
                              weights[i] * mse[i], mse[i], size[i]});
  }
  return result;
}

}  // namespace eflow::soflow
