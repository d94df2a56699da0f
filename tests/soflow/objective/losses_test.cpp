#define BOOST_TEST_MODULE losses
#include "eflow/soflow/objective/losses.hpp"

#include <boost/test/unit_test.hpp>
#include <cmath>

#include "eflow/core/tensor/ops.hpp"
#include "eflow/tests/soflow/gaussian_flow.hpp"

namespace eflow::soflow {
namespace {

const AdaptiveWeight kWeight{.p = 0.75, .eps = 0.01};
const PerSample kT = {0.9, 0.5}, kL = {0.85, 0.44}, kS = {0.4, 0.1};

Tensor leaf(const Tensor& x) {
  Tensor copy = contiguous(x * 1.0);
  copy.set_requires_grad();
  return copy;
}

BOOST_AUTO_TEST_CASE(flow_matching_is_the_weighted_mean_square) {
  const Tensor F = leaf(test::values({2, 5}, 1)), v = test::values({2, 5}, 2);
  const SampleLosses losses = fm_loss(F, v, kWeight);
  const Tensor mse = mean(square(F.detach() - v), {1});
  BOOST_TEST(test::distance(losses.mse, mse) < 1e-15);
  backward(sum(losses.loss) / 2.0);
  // dL/dF = (2 / B) w delta / E, the weight held fixed.
  const auto m = mse.to_vector<double>();
  const PerSample w = {std::pow(m[0] + 0.01, -0.75), std::pow(m[1] + 0.01, -0.75)};
  const Tensor expected = as_factors(w, v) * (F.detach() - v) * (2.0 / 2 / 5);
  BOOST_TEST(test::distance(F.grad(), expected) < 1e-14);
  BOOST_TEST(losses.loss.to_vector<double>()[1] == w[1] * m[1],
             boost::test_tools::tolerance(1e-12));
}

/// States x_t and x_l with the mean velocities of an arbitrary network.
struct Pair {
  Tensor x_t = test::values({2, 6}, 1), v = test::values({2, 6}, 2);
  Tensor F_t = test::values({2, 6}, 3), F_l = test::values({2, 6}, 4);
  [[nodiscard]] Tensor f_t(const Tensor& F) const { return advance(x_t, F, kT, kS); }
  [[nodiscard]] Tensor f_l() const { return advance(advance(x_t, v, kT, kL), F_l, kL, kS); }
};

BOOST_AUTO_TEST_CASE(the_drift_is_the_quotient_without_its_small_division) {
  const Pair pair;
  PerSample rate(2);
  for (std::size_t i = 0; i < 2; ++i) rate[i] = 1 / (kT[i] - kL[i]);
  const Tensor quotient = (pair.f_t(pair.F_t) - pair.f_l()) * as_factors(rate, pair.v);
  const Tensor dq = solution_drift(pair.v, pair.F_t, pair.F_l, kT, kL, kS);
  BOOST_TEST(test::distance(dq, quotient) < 1e-12);
}

BOOST_AUTO_TEST_CASE(the_drift_keeps_its_digits_in_f32) {
  const Pair pair;
  const auto f32 = [](const Tensor& x) { return cast(x, DType::kF32); };
  const Tensor dq = solution_drift(pair.v, pair.F_t, pair.F_l, kT, kL, kS);
  const Tensor low = solution_drift(f32(pair.v), f32(pair.F_t), f32(pair.F_l), kT, kL, kS);
  BOOST_TEST(test::distance(cast(low, DType::kF64), dq) < 1e-5 * test::largest(dq));
}

/// Eq. 4 as printed: 1 / ((t-l)(t-s)) (mse / (t-l)^2 + eps)^-p mse, mse = mean_e |f_t - sg f_l|^2.
BOOST_AUTO_TEST_CASE(scale_1_has_the_gradient_of_the_printed_loss) {
  const Pair pair;
  const Tensor printed = leaf(pair.F_t), ours = leaf(pair.F_t), half = leaf(pair.F_t);
  const Tensor mse = mean(square(pair.f_t(printed) - pair.f_l()), {1});
  PerSample outer(2), inner(2);
  for (std::size_t i = 0; i < 2; ++i) {
    outer[i] = 1 / ((kT[i] - kL[i]) * (kT[i] - kS[i]));
    inner[i] = 1 / ((kT[i] - kL[i]) * (kT[i] - kL[i]));
  }
  const Tensor adaptive = exp(log(mse.detach() * as_times(inner, mse) + 0.01) * -0.75);
  backward(sum(as_times(outer, mse) * adaptive * mse));

  const Tensor dq = solution_drift(pair.v, pair.F_t, pair.F_l, kT, kL, kS);
  backward(sum(scm_loss(ours, dq, kWeight, 1).loss));
  backward(sum(scm_loss(half, dq, kWeight, 0.5).loss));
  BOOST_TEST(test::distance(ours.grad(), printed.grad()) < 1e-12 * test::largest(printed.grad()));
  BOOST_TEST(test::distance(half.grad() * 2.0, printed.grad()) <
             1e-12 * test::largest(printed.grad()));
}

/// SoFlow's surrogate: sgn(s - t) mean_e(F_t sg(dq w)).
BOOST_AUTO_TEST_CASE(scale_one_half_has_the_gradient_of_the_released_code) {
  const Pair pair;
  const Tensor F = leaf(pair.F_t), surrogate = leaf(pair.F_t);
  const Tensor dq = solution_drift(pair.v, pair.F_t, pair.F_l, kT, kL, kS);
  const SampleLosses losses = scm_loss(F, dq, kWeight, 0.5);
  backward(sum(losses.loss));
  const auto mse = mean(square(dq), {1}).to_vector<double>();
  const PerSample w = {std::pow(mse[0] + 0.01, -0.75), std::pow(mse[1] + 0.01, -0.75)};
  backward(sum(mean(surrogate * dq * as_factors(w, dq), {1}) * -1.0));
  BOOST_TEST(test::distance(F.grad(), surrogate.grad()) < 1e-12);
  BOOST_TEST(losses.mse.to_vector<double>()[0] == mse[0], boost::test_tools::tolerance(1e-12));
}

/// With the exact solution and the marginal velocity, halving r divides dq by two and |f_t - f_l|
/// by four.
BOOST_AUTO_TEST_CASE(the_drift_of_the_exact_flow_vanishes_with_r) {
  const test::GaussianFlow flow(6);
  const Tensor x = test::values({1, 6}, 8, 2);
  const double t = 0.8, s = 0.2;
  const auto drift = [&](double r) {
    const double l = t + (s - t) * r;
    const Tensor v = flow.velocity(x, t), x_l = advance(x, v, {t}, {l});
    const Tensor F_t = (flow.solution(x, t, s) - x) / (s - t);
    const Tensor F_l = (flow.solution(x_l, l, s) - x_l) / (s - l);
    const double dq = test::largest(solution_drift(v, F_t, F_l, {t}, {l}, {s}));
    const double gap = test::distance(flow.solution(x, t, s), flow.solution(x_l, l, s));
    return std::pair(dq, gap);
  };
  const auto [dq1, gap1] = drift(0.02);
  const auto [dq2, gap2] = drift(0.01);
  BOOST_TEST(dq1 / dq2 == 2, boost::test_tools::tolerance(0.03));
  BOOST_TEST(gap1 / gap2 == 4, boost::test_tools::tolerance(0.03));
}

}  // namespace
}  // namespace eflow::soflow
