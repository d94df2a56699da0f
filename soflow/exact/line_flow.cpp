#include "eflow/soflow/exact/line_flow.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace eflow::soflow {

double GaussianLine::deviation(double t) const {
  return std::sqrt((1 - t) * (1 - t) * variance + t * t);
}

double GaussianLine::velocity(double y, double t) const {
  const double sigma = deviation(t), slope = (t - (1 - t) * variance) / (sigma * sigma);
  return slope * (y - (1 - t) * mean) - mean;
}

double GaussianLine::solution(double y, double t, double s) const {
  return (1 - s) * mean + deviation(s) / deviation(t) * (y - (1 - t) * mean);
}

// ---- mixture ------------------------------------------------------------------------------------

double MixtureLine::mean() const {
  double sum = 0;
  for (const auto& [weight, law] : parts_) sum += weight * law.mean;
  return sum;
}

double MixtureLine::variance() const {
  const double centre = mean();
  double sum = 0;
  for (const auto& [weight, law] : parts_) {
    sum += weight * (law.variance + (law.mean - centre) * (law.mean - centre));
  }
  return sum;
}

double MixtureLine::probability(double y, double t, bool above) const {
  double sum = 0;
  for (const auto& [weight, law] : parts_) {
    const double z = (y - (1 - t) * law.mean) / law.deviation(t);
    sum += weight * 0.5 * std::erfc((above ? z : -z) / std::numbers::sqrt2);
  }
  return sum;
}

double MixtureLine::density(double y, double t) const {
  double sum = 0;
  for (const auto& [weight, law] : parts_) {
    const double sigma = law.deviation(t), z = (y - (1 - t) * law.mean) / sigma;
    sum += weight * std::exp(-z * z / 2) / sigma;
  }
  return sum / std::sqrt(2 * std::numbers::pi);
}

double MixtureLine::velocity(double y, double t) const {
  // Responsibilities relative to the largest: they do not underflow far in the tails.
  double largest = -INFINITY, total = 0, sum = 0;
  std::vector<double> logs;
  for (const auto& [weight, law] : parts_) {
    const double sigma = law.deviation(t), z = (y - (1 - t) * law.mean) / sigma;
    logs.push_back(std::log(weight / sigma) - z * z / 2);
    largest = std::max(largest, logs.back());
  }
  for (std::size_t j = 0; j < parts_.size(); ++j) {
    const double share = std::exp(logs[j] - largest);
    total += share;
    sum += share * parts_[j].law.velocity(y, t);
  }
  return sum / total;
}

double MixtureLine::solution(double y, double t, double s) const {
  // The solution is bracketed by the solutions of the parts, each under its own flow.
  double low = INFINITY, high = -INFINITY;
  for (const auto& [weight, law] : parts_) {
    const double end = law.solution(y, t, s);
    low = std::min(low, end);
    high = std::max(high, end);
  }
  // The probability of the smaller tail has no cancellation.
  const bool above = probability(y, t, false) > 0.5;
  const double target = probability(y, t, above);
  double x = (low + high) / 2;
  for (int i = 0; i < 200 && high - low > 1e-15 * (1 + std::abs(x)); ++i) {
    const double excess = (probability(x, s, above) - target) * (above ? -1 : 1);
    (excess > 0 ? high : low) = x;
    const double newton = x - excess / density(x, s);
    const double next = newton > low && newton < high ? newton : (low + high) / 2;
    if (std::abs(next - x) <= 1e-16 * (1 + std::abs(x))) return next;
    x = next;
  }
  return x;
}

// ---- guided -------------------------------------------------------------------------------------

double GuidedLine::velocity(double y, double t, double m) const {
  const double conditioned = GaussianLine{m, own_}.velocity(y, t);
  const double unconditioned = GaussianLine{0, own_ + spread_}.velocity(y, t);
  return w_ * conditioned + (1 - w_) * unconditioned;
}

double GuidedLine::propagator(double s, double t) const {
  const GaussianLine conditioned{0, own_}, unconditioned{0, own_ + spread_};
  return std::pow(conditioned.deviation(s) / conditioned.deviation(t), w_) *
         std::pow(unconditioned.deviation(s) / unconditioned.deviation(t), 1 - w_);
}

GuidedLine::Map GuidedLine::solution(double t, double s) const {
  // Integrates the inhomogeneous part of dy/du = v_w, propagated from u to s, by Simpson's rule.
  const auto rate = [&](double u) {
    const double sigma = GaussianLine{0, own_}.deviation(u);
    const double slope = (u - (1 - u) * own_) / (sigma * sigma);
    return propagator(s, u) * w_ * (-1 - slope * (1 - u));
  };
  constexpr int kIntervals = 512;
  const double h = (s - t) / kIntervals;
  double sum = rate(t) + rate(s);
  for (int i = 1; i < kIntervals; ++i) sum += (i % 2 == 1 ? 4 : 2) * rate(t + i * h);
  return {propagator(s, t), sum * h / 3};
}

}  // namespace eflow::soflow
