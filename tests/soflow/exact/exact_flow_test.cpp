// The exact testbed: its clips have the stated moments, its network has no error, and the SCM
// target vanishes on it as the theory says.
#define BOOST_TEST_MODULE exact_flow
#include "eflow/soflow/exact/exact_flow.hpp"

#include <boost/test/unit_test.hpp>
#include <cmath>
#include <numeric>

#include "eflow/core/base/error.hpp"
#include "eflow/core/tensor/ops.hpp"
#include "eflow/soflow/exact/exact_errors.hpp"
#include "eflow/soflow/objective/interpolant.hpp"
#include "eflow/soflow/objective/losses.hpp"
#include "eflow/tests/support/model_check.hpp"

namespace eflow::soflow {
namespace {

constexpr ExactKind kAll[] = {ExactKind::kGaussian, ExactKind::kMixture, ExactKind::kGuided};

ExactOptions small(ExactKind kind) {
  return {.kind = kind, .clip = {2, 2, 3, 4}, .own = 0.3, .spread = 0.8, .seed = 5};
}

/// Clips 0 .. count-1 and their contexts.
struct Clips {
  Tensor x0;
  nn::Condition condition;
  Clips(const ExactFlow& flow, std::int64_t count) {
    const auto size = static_cast<std::size_t>(flow.basis().size());
    const auto width = static_cast<std::size_t>(flow.context_size());
    std::vector<double> x, contexts;
    for (std::int64_t i = 0; i < count; ++i) {
      std::vector<double> clip(size), context(width);
      flow.draw(i, clip, context);
      x.insert(x.end(), clip.begin(), clip.end());
      contexts.insert(contexts.end(), context.begin(), context.end());
    }
    Shape shape = flow.options().clip;
    shape.insert(0, count);
    x0 = Tensor::from(x, shape);
    if (width == 0) return;
    Shape tokens = flow.context_shape();
    tokens.insert(0, count);
    condition.context = Tensor::from(contexts, tokens);
  }
};

BOOST_AUTO_TEST_CASE(the_basis_is_orthonormal) {
  const CosineBasis basis({2, 2, 3, 4});
  std::vector<double> clip(48), copy;
  for (std::size_t i = 0; i < clip.size(); ++i) clip[i] = std::sin(1.7 * static_cast<double>(i));
  copy = clip;
  basis.to_coordinates(copy);
  const auto norm = [](const auto& v) {
    return std::inner_product(v.begin(), v.end(), v.begin(), 0.0);
  };
  BOOST_TEST(norm(copy) == norm(clip), boost::test_tools::tolerance(1e-12));
  basis.to_clip(copy);
  for (std::size_t i = 0; i < clip.size(); ++i) BOOST_TEST(std::abs(copy[i] - clip[i]) < 1e-13);
  BOOST_TEST(basis.frequency(0) == 0);
  BOOST_TEST(basis.frequency(1 * 12 + 2 * 4 + 3) == 1 + 4 + 9);
  BOOST_CHECK_THROW(CosineBasis({2, 3}), ShapeError);
}

BOOST_AUTO_TEST_CASE(clips_have_the_stated_moments) {
  constexpr int kCount = 4000;
  for (const ExactKind kind : kAll) {
    const ExactFlow flow(small(kind));
    std::vector<double> sums(48), squares(48),
        context(static_cast<std::size_t>(flow.context_size()));
    for (int i = 0; i < kCount; ++i) {
      std::vector<double> clip(48);
      flow.draw(i, clip, context);
      flow.basis().to_coordinates(clip);
      for (std::size_t k = 0; k < 48; ++k) {
        sums[k] += (clip[k] - flow.means()[k]) / kCount;
        squares[k] += std::pow(clip[k] - flow.means()[k], 2) / kCount;
      }
    }
    for (std::size_t k = 0; k < 48; ++k) {
      const double variance = flow.variances()[k];
      BOOST_TEST(std::abs(sums[k]) < 5 * std::sqrt(variance / kCount));
      BOOST_TEST(std::abs(squares[k] / variance - 1) < 5 * std::sqrt(2.0 / kCount));
    }
  }
}

BOOST_AUTO_TEST_CASE(clips_are_a_function_of_seed_and_index) {
  ExactOptions options = small(ExactKind::kMixture);
  std::vector<double> a(48), b(48), c(48);
  ExactFlow(options).draw(7, a, {});
  ExactFlow(options).draw(7, b, {});
  options.seed = 6;
  ExactFlow(options).draw(7, c, {});
  BOOST_TEST((a == b));
  BOOST_TEST((a != c));
}

BOOST_AUTO_TEST_CASE(solutions_compose_and_their_tangent_is_the_velocity) {
  for (const ExactKind kind : kAll) {
    const ExactFlow flow(small(kind));
    Clips clips(flow, 3);
    clips.condition.guidance = Tensor::from(std::vector<double>{1, 2.5, 4.5}, {3});
    const Tensor x = test::values(clips.x0.shape(), 3, 1.5);
    const PerSample t = {0.9, 1, 0.4}, l = {0.6, 0.5, 0.3}, s = {0.1, 0, 0};
    const auto go = [&](const Tensor& y, const PerSample& from, const PerSample& to) {
      return flow.solution(y, from, to, clips.condition);
    };
    BOOST_TEST(test::distance(go(go(x, t, l), l, s), go(x, t, s)) < 1e-9);
    constexpr double kStep = 1e-5;
    PerSample before = l, after = l;
    for (std::size_t i = 0; i < 3; ++i) before[i] -= kStep, after[i] += kStep;
    const Tensor slope = (go(x, l, after) - go(x, l, before)) / (2 * kStep);
    BOOST_TEST(test::distance(slope, flow.velocity(x, l, clips.condition)) < 1e-5);
  }
}

/// At t = 1 the clip is pure noise, so x - v is the conditional mean.
BOOST_AUTO_TEST_CASE(each_slow_coordinate_has_its_own_context_token) {
  const ExactFlow flow(small(ExactKind::kGuided));
  BOOST_TEST((flow.context_shape() == Shape{16, 17}));
  BOOST_TEST(flow.context_size() == 16 * 17);
  const Clips clips(flow, 1);
  const auto context = clips.condition.context.to_vector<double>();
  const Tensor noise = test::values(clips.x0.shape(), 3, 1.5);
  auto mean = (noise - flow.velocity(noise, {1}, clips.condition)).to_vector<double>();
  flow.basis().to_coordinates(mean);
  std::size_t token = 0;
  for (std::size_t k = 0; k < mean.size(); ++k) {
    const bool slow = flow.basis().is_slow(static_cast<std::int64_t>(k));
    BOOST_TEST(std::abs(mean[k] - (slow ? context[token * 17] : 0)) < 1e-12);
    if (!slow) continue;
    for (std::size_t which = 0; which < 16; ++which)
      BOOST_TEST(context[token * 17 + 1 + which] == (which == token ? 1 : 0));
    ++token;
  }
  BOOST_TEST(token == 16u);
  std::vector<double> clip(48), short_of_one(16 * 17 - 1);
  BOOST_CHECK_THROW(flow.draw(0, clip, short_of_one), ShapeError);
  BOOST_TEST(ExactFlow(small(ExactKind::kGaussian)).context_size() == 0);
}

BOOST_AUTO_TEST_CASE(the_weak_path_ignores_the_condition) {
  const ExactFlow flow(small(ExactKind::kGuided));
  const Clips clips(flow, 2);
  nn::Condition weak = clips.condition, other = weak;
  weak.path = other.path = nn::Path::kWeak;
  other.context = weak.context * 0.0;
  const PerSample t = {0.3, 0.8};
  BOOST_TEST(test::distance(flow.velocity(clips.x0, t, weak), flow.velocity(clips.x0, t, other)) <
             1e-14);
  BOOST_CHECK_THROW(static_cast<void>(flow.velocity(clips.x0, t)), InvalidArgument);
}

BOOST_AUTO_TEST_CASE(the_exact_network_has_no_error) {
  for (const ExactKind kind : kAll) {
    const ExactFlow flow(small(kind));
    const bool guided = kind == ExactKind::kGuided;
    const ExactErrors errors =
        exact_errors(flow.network(), flow, {.clips = 16, .w = guided ? 3.5 : 1, .tell_w = guided});
    for (const auto& at : errors.velocity) BOOST_TEST(at.relative < 1e-10);
    for (const auto& at : errors.map) BOOST_TEST(at.relative < 1e-10);
    BOOST_TEST(errors.grid_defect < 1e-10);
    BOOST_TEST(errors.endpoint_defect < 1e-10);
    BOOST_TEST(errors.random_defect < 1e-10);
    BOOST_TEST(errors.gap.error < 1e-5);
    BOOST_TEST(errors.gap.needed > 0.1);
    for (const auto& s : errors.samples) {
      if (s.sampler == Sampler::kEuler)
        continue;  // discretisation error remains with the exact velocity
      BOOST_TEST(s.relative < 1e-10);
      if (s.sampler == Sampler::kCompose) {
        BOOST_TEST(std::abs(s.covariance - errors.floor.covariance) < 1e-4);
      }
    }
    for (std::size_t i = 0; i < errors.exact_euler.size(); ++i) {
      const auto& own = errors.samples[2 * errors.exact_euler.size() + i];
      BOOST_TEST((own.sampler == Sampler::kEuler && own.steps == errors.exact_euler[i].steps));
      BOOST_TEST(own.error == errors.exact_euler[i].error, boost::test_tools::tolerance(1e-4));
      if (i > 0) BOOST_TEST(own.error < errors.exact_euler[i - 1].error);
    }
    BOOST_TEST(errors.weak_velocity.size() == (guided ? 6 : 0));
  }
}

BOOST_AUTO_TEST_CASE(errors_match_a_known_offset) {
  const ExactFlow flow(small(ExactKind::kGaussian));
  const Network off = [&](const Tensor& x, const Tensor& t, const Tensor& s,
                          const nn::Condition& c) { return flow.network()(x, t, s, c) + 0.5; };
  const ExactErrors errors = exact_errors(off, flow, {.clips = 8, .steps = {1, 2}});
  for (const auto& at : errors.velocity)
    BOOST_TEST(at.error == 0.25, boost::test_tools::tolerance(1e-4));
  for (const auto& at : errors.map) {
    BOOST_TEST(at.error == 0.25 * (at.t - at.s) * (at.t - at.s),
               boost::test_tools::tolerance(1e-4));
  }
  BOOST_TEST(errors.samples[0].error == 0.25, boost::test_tools::tolerance(1e-4));
}

/// With the exact solution and the marginal velocity, |f_t - f_l| falls as r^2 and dq as r.
BOOST_AUTO_TEST_CASE(the_scm_drift_of_the_exact_flow_vanishes_with_r) {
  const ExactFlow flow(small(ExactKind::kMixture));
  const PerSample t = {0.8, 0.6}, s = {0.2, 0.1};
  const Tensor x = test::values({2, 2, 2, 3, 4}, 9, 1.2), v = flow.velocity(x, t);
  const auto drift = [&](double r) {
    PerSample l = t;
    for (std::size_t i = 0; i < l.size(); ++i) l[i] += (s[i] - t[i]) * r;
    const Tensor x_l = advance(x, v, t, l);
    const Network F = flow.network();
    const Tensor dq =
        solution_drift(v, evaluate(F, x, t, s, {}), evaluate(F, x_l, l, s, {}), t, l, s);
    const Tensor direct = flow.solution(x, t, s) - flow.solution(x_l, l, s);
    PerSample rate(2);
    for (std::size_t i = 0; i < 2; ++i) rate[i] = 1 / (t[i] - l[i]);
    BOOST_TEST(test::distance(dq, direct * as_factors(rate, x)) < 1e-7);
    return std::pair(std::sqrt(sum_of_squares({direct})), std::sqrt(sum_of_squares({dq})));
  };
  const auto [f1, q1] = drift(2e-3);
  const auto [f2, q2] = drift(1e-3);
  BOOST_TEST(f1 / f2 == 4.0, boost::test_tools::tolerance(0.02));
  BOOST_TEST(q1 / q2 == 2.0, boost::test_tools::tolerance(0.02));
}

BOOST_AUTO_TEST_CASE(the_irreducible_loss_is_that_of_the_exact_velocity) {
  const ExactFlow flow(small(ExactKind::kGaussian));
  const Clips clips(flow, 4000);
  const Tensor x1 = test::values(clips.x0.shape(), 4, std::sqrt(3.0));  // variance 1
  const PerSample t(4000, 0.4);
  const Tensor v = flow.velocity(interpolate(clips.x0, x1, t), t);
  const double loss = mean(square(v - (x1 - clips.x0))).item();
  BOOST_TEST(loss == flow.irreducible_loss(0.4), boost::test_tools::tolerance(0.02));
}

BOOST_AUTO_TEST_CASE(invalid_arguments_are_refused) {
  ExactOptions options = small(ExactKind::kGuided);
  options.own = 0;
  BOOST_CHECK_THROW(ExactFlow{options}, InvalidArgument);
  const ExactFlow flow(small(ExactKind::kMixture));
  std::vector<double> too_short(5);
  BOOST_CHECK_THROW(flow.draw(0, too_short, {}), ShapeError);
  BOOST_CHECK_THROW(static_cast<void>(flow.irreducible_loss(0.5)), InvalidArgument);
  BOOST_CHECK_THROW(static_cast<void>(exact_kind("gausian")), InvalidArgument);
}

}  // namespace
}  // namespace eflow::soflow
