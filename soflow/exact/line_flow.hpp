#pragma once
// Exactly known flows of one coordinate under x_t = (1 - t) x0 + t x1 with x1 ~ N(0, 1): velocities
// v(y, t) = E[x1 - x0 | x_t = y] and solutions f(y, t, s) of dy/dt = v. All in double, for
// 0 <= s, t <= 1 and positive variances.

#include <vector>

#include "eflow/core/base/export.hpp"

EFLOW_EXPORT_BEGIN

namespace eflow::soflow {

/// x0 ~ N(mean, variance). Velocities and solutions are affine in y.
struct GaussianLine {
  double mean = 0, variance = 1;
  /// Standard deviation of x_t.
  [[nodiscard]] double deviation(double t) const;
  [[nodiscard]] double velocity(double y, double t) const;
  [[nodiscard]] double solution(double y, double t, double s) const;
};

/// x0 ~ sum_j weight_j N(mean_j, variance_j). The flow preserves quantiles, so
/// f(y, t, s) = P_s^-1(P_t(y)), where P_t is the cumulative distribution function of x_t.
class MixtureLine {
 public:
  struct Part {
    double weight = 1;
    GaussianLine law = {};
  };
  /// The weights must sum to 1.
  explicit MixtureLine(std::vector<Part> parts) : parts_(std::move(parts)) {}
  [[nodiscard]] const std::vector<Part>& parts() const { return parts_; }
  [[nodiscard]] double mean() const;
  [[nodiscard]] double variance() const;
  [[nodiscard]] double velocity(double y, double t) const;
  /// Accurate to about 1e-13, also in the tails.
  [[nodiscard]] double solution(double y, double t, double s) const;

 private:
  /// P(x_t > y) if `above`, else P(x_t <= y).
  [[nodiscard]] double probability(double y, double t, bool above) const;
  [[nodiscard]] double density(double y, double t) const;
  std::vector<Part> parts_;
};

/// x0 | m ~ N(m, own) with m ~ N(0, spread), so marginally x0 ~ N(0, own + spread). The flow
/// follows the guided velocity v_w = w v(. | m) + (1 - w) v(.), which is affine in y and in m.
class GuidedLine {
 public:
  GuidedLine(double own, double spread, double w) : own_(own), spread_(spread), w_(w) {}
  [[nodiscard]] double velocity(double y, double t, double m) const;
  /// f(y, t, s) = scale y + shift m.
  struct Map {
    double scale = 1, shift = 0;
  };
  [[nodiscard]] Map solution(double t, double s) const;

 private:
  /// The factor on y from t to s.
  [[nodiscard]] double propagator(double s, double t) const;
  double own_, spread_, w_;
};

}  // namespace eflow::soflow

EFLOW_EXPORT_END
