#pragma once
// Which t, s and l a step trains at. [arXiv 2603.27086, B.2 and Tab. 5; SoFlow train.py]

#include <string_view>

#include "eflow/soflow/network.hpp"

namespace eflow::soflow {

/// S_k(u) = k u / (1 + (k - 1) u): moves times towards noise for k > 1. Its inverse is S_{1/k}.
[[nodiscard]] double shift_time(double u, double k);

/// S_shift(sigmoid(N(mean, deviation^2)))
struct LogitNormal {
  double mean = 0, deviation = 1, shift = 1;
};

/// One draw for each sample id.
[[nodiscard]] PerSample draw_times(const LogitNormal& law, const RandomKey& key,
                                   const std::vector<std::int64_t>& ids);

/// Times stay this far apart, and t this far from 0.
inline constexpr double kTimeMargin = 1e-4;

struct TimeLaws {
  LogitNormal fm_t, scm_t, scm_s;
  /// t = S_3(sigmoid(N(0, 1))) for both losses, s = sigmoid(N(-1, 0.8^2)).
  [[nodiscard]] static TimeLaws eflow();
  /// Three logit-normals without shift.
  [[nodiscard]] static TimeLaws soflow();
};

enum class RatioCurve { kExponential, kConstant, kLinear, kCosine };

/// "exponential", "constant", "linear", "cosine".
[[nodiscard]] std::string_view name_of(RatioCurve curve);
/// Throws InvalidArgument listing the known names.
[[nodiscard]] RatioCurve ratio_curve(std::string_view name);

/// r(k): how far l stands on the way from t to s. From r(0) = init to r(iterations) = end;
/// kConstant is always `end`.
struct RatioSchedule {
  RatioCurve curve = RatioCurve::kExponential;
  double init = 0.1, end = 0.02;
  std::int64_t iterations = 1;  ///< K, of the whole run
  /// k: finished steps.
  [[nodiscard]] double at(std::int64_t k) const;
};

/// Times of one group of samples: 0 <= s < l < t <= 1 wherever the margins leave room.
struct Times {
  PerSample t, l, s;
};

/// t >= margin; s <= t - margin; l = min(t + (s - t) r, t - margin).
[[nodiscard]] Times ordered_times(PerSample t, PerSample s, double r);

/// The jumps that mean-velocity additivity is trained at: three different nodes of the grid
/// S_shift(n / nodes), n = 0 .. nodes, so that every sampling grid of N | nodes steps is among them.
struct JumpLaw {
  std::int64_t nodes = 64;
  double shift = 3;
  double to_data = 0;         ///< chance that s is 0
  std::int64_t min_jump = 1;  ///< nodes between t and l, and between l and s, at least
};

/// One draw for each sample id. Throws InvalidArgument where min_jump leaves no three nodes.
[[nodiscard]] Times draw_jumps(const JumpLaw& law, const RandomKey& key,
                               const std::vector<std::int64_t>& ids);

}  // namespace eflow::soflow
