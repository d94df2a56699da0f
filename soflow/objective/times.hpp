#pragma once
// Distributions and schedules of the training times t, s and l.
// [arXiv 2603.27086, B.2 and Tab. 5; SoFlow train.py]

#include <array>
#include <string_view>

#include "eflow/core/base/export.hpp"
#include "eflow/core/tensor/random_key.hpp"
#include "eflow/soflow/objective/network.hpp"

EFLOW_EXPORT_BEGIN

namespace eflow::soflow {

/// Returns S_k(u) = k u / (1 + (k - 1) u), which moves times towards noise for k > 1. Its inverse
/// is S_{1/k}.
[[nodiscard]] double shift_time(double u, double k);

/// The distribution of S_shift(sigmoid(N(mean, deviation^2))).
struct LogitNormal {
  double mean = 0, deviation = 1, shift = 1;
};

/// Draws one time per sample id.
[[nodiscard]] PerSample draw_times(const LogitNormal& law, const RandomKey& key,
                                   const std::vector<std::int64_t>& ids);

/// Minimum distance between t, l and s, and between t and 0.
inline constexpr double kTimeMargin = 1e-4;

/// Distributions of t for FM, and of t and s for SCM.
struct TimeLaws {
  LogitNormal fm_t = {}, scm_t = {}, scm_s = {};
  /// t = S_3(sigmoid(N(0, 1))) for both losses, s = sigmoid(N(-1, 0.8^2)). [EFlow Tab. 5]
  [[nodiscard]] static TimeLaws eflow();
  /// Three logit-normals without shift. [SoFlow imagenet.yaml]
  [[nodiscard]] static TimeLaws soflow();
};

enum class RatioCurve { kExponential, kConstant, kLinear, kCosine };
/// Names by enumerator value.
inline constexpr std::array<std::string_view, 4> kRatioNames = {"exponential", "constant", "linear",
                                                                "cosine"};
[[nodiscard]] std::string_view name_of(RatioCurve curve);
/// Throws InvalidArgument and lists the known names.
[[nodiscard]] RatioCurve ratio_curve(std::string_view name);

/// The schedule r(k) of l = t + (s - t) r(k), from r(0) = init to r(iterations) = end. kConstant
/// always returns `end`. In a run of several stages, k counts the steps of all of them. [SoFlow
/// get_middle_time]
struct RatioSchedule {
  RatioCurve curve = RatioCurve::kExponential;
  double init = 0.1, end = 0.02;
  std::int64_t iterations = 1;  ///< K, of the whole run
  std::int64_t first = 0;       ///< steps of the run before this stage
  /// Returns r(first + step); step counts the finished steps of this stage.
  [[nodiscard]] double at(std::int64_t step) const;
};

/// Times of one group of samples: 0 <= s < l < t <= 1 as far as kTimeMargin allows.
struct Times {
  PerSample t = {}, l = {}, s = {};
};

/// Clamps t and s to t >= margin and s <= t - margin, and sets l = min(t + (s - t) r, t - margin).
[[nodiscard]] Times ordered_times(PerSample t, PerSample s, double r);

/// The distribution of the MVA times t, l, s: three distinct nodes of the grid S_shift(n / nodes),
/// n = 0 .. nodes. The grid contains each sampling grid whose step count divides `nodes`.
/// [EFlow B.2]
struct JumpLaw {
  std::int64_t nodes = 64;
  double shift = 3;
  double to_data = 0;         ///< probability of s = 0
  std::int64_t min_jump = 1;  ///< minimum number of nodes between t and l, and between l and s
};

/// Draws t, l and s per sample id. Throws InvalidArgument if min_jump leaves fewer than three
/// nodes.
[[nodiscard]] Times draw_jumps(const JumpLaw& law, const RandomKey& key,
                               const std::vector<std::int64_t>& ids);

}  // namespace eflow::soflow

EFLOW_EXPORT_END
