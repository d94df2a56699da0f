#include "eflow/soflow/objective/times.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <utility>

#include "eflow/core/base/error.hpp"
#include "eflow/core/base/named_enum.hpp"
#include "eflow/core/tensor/ops.hpp"
#include "eflow/core/tensor/random_key.hpp"

namespace eflow::soflow {
namespace {

/// Maps three uniforms to three distinct numbers of 0 .. count-1, ascending, all sets equally
/// likely.
std::array<std::int64_t, 3> choose_three(std::int64_t count, const double* u) {
  const auto pick = [&](int i) {
    const std::int64_t left = count - i;
    return std::min(left - 1, static_cast<std::int64_t>(u[i] * static_cast<double>(left)));
  };
  // b skips a; c skips the smaller and then the larger of the two.
  std::int64_t a = pick(0), b = pick(1), c = pick(2);
  b += b >= a;
  if (a > b) std::swap(a, b);
  c += c >= a;
  c += c >= b;
  if (c < a) return {c, a, b};
  if (c < b) return {a, c, b};
  return {a, b, c};
}

}  // namespace

double shift_time(double u, double k) {
  return k * u / (1 + (k - 1) * u);
}

PerSample draw_times(const LogitNormal& law, const RandomKey& key,
                     const std::vector<std::int64_t>& ids) {
  const auto batch = static_cast<std::int64_t>(ids.size());
  PerSample times = normal_values({batch}, key, ids);
  for (double& t : times) {
    t = shift_time(1 / (1 + std::exp(-(law.mean + law.deviation * t))), law.shift);
  }
  return times;
}

TimeLaws TimeLaws::eflow() {
  const LogitNormal t{.mean = 0, .deviation = 1, .shift = 3};
  return {.fm_t = t, .scm_t = t, .scm_s = {.mean = -1, .deviation = 0.8}};
}

TimeLaws TimeLaws::soflow() {
  return {.fm_t = {.mean = -0.2, .deviation = 1},
          .scm_t = {.mean = 0.2, .deviation = 0.8},
          .scm_s = {.mean = -1, .deviation = 0.8}};
}

std::string_view name_of(RatioCurve curve) {
  return enum_name(curve, kRatioNames);
}

RatioCurve ratio_curve(std::string_view name) {
  return enum_from_name<RatioCurve>("r_schedule", name, kRatioNames);
}

double RatioSchedule::at(std::int64_t step) const {
  const auto k = static_cast<double>(first + step);
  const double progress =
      std::min(1.0, k / static_cast<double>(std::max<std::int64_t>(1, iterations)));
  switch (curve) {
    case RatioCurve::kExponential:
      return init * std::pow(end / init, progress);
    case RatioCurve::kConstant:
      return end;
    case RatioCurve::kLinear:
      return init + (end - init) * progress;
    case RatioCurve::kCosine:
      return end + (init - end) * 0.5 * (1 + std::cos(std::numbers::pi * progress));
  }
  return end;
}

Times ordered_times(PerSample t, PerSample s, double r) {
  Times times{std::move(t), {}, std::move(s)};
  for (std::size_t i = 0; i < times.t.size(); ++i) {
    double& ti = times.t[i];
    double& si = times.s[i];
    ti = std::max(ti, kTimeMargin);
    si = std::min(si, ti - kTimeMargin);
    times.l.push_back(std::min(ti + (si - ti) * r, ti - kTimeMargin));
  }
  return times;
}

Times draw_jumps(const JumpLaw& law, const RandomKey& key, const std::vector<std::int64_t>& ids) {
  const std::int64_t slack = law.min_jump - 1, free_nodes = law.nodes + 1 - 2 * slack;
  if (law.min_jump < 1 || free_nodes < 3) {
    throw InvalidArgument(str("[mva] min_jump must be from 1 to nodes / 2 = ", law.nodes / 2,
                              ", found ", law.min_jump));
  }
  const auto batch = static_cast<std::int64_t>(ids.size());
  const PerSample u = uniform_values({batch, 4}, key, ids);
  const auto time = [&](std::int64_t node) {
    return shift_time(static_cast<double>(node) / static_cast<double>(law.nodes), law.shift);
  };
  Times times;
  for (std::size_t i = 0; i < ids.size(); ++i) {
    auto [s, l, t] = choose_three(free_nodes, &u[4 * i]);
    if (u[4 * i + 3] < law.to_data) s = 0;
    times.t.push_back(time(t + 2 * slack));
    times.l.push_back(time(l + slack));
    times.s.push_back(time(s));
  }
  return times;
}

}  // namespace eflow::soflow
