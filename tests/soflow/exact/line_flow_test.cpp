// Closed-form solutions of one coordinate against Runge-Kutta integration of the velocities.
#define BOOST_TEST_MODULE line_flow
#include "eflow/soflow/exact/line_flow.hpp"

#include <boost/test/unit_test.hpp>
#include <cmath>
#include <functional>

namespace eflow::soflow {
namespace {

using Velocity = std::function<double(double y, double t)>;

double integrate(const Velocity& v, double y, double t, double s) {
  constexpr int kSteps = 4000;
  const double h = (s - t) / kSteps;
  for (int i = 0; i < kSteps; ++i, t += h) {
    const double a = v(y, t), b = v(y + h / 2 * a, t + h / 2), c = v(y + h / 2 * b, t + h / 2);
    y += h / 6 * (a + 2 * b + 2 * c + v(y + h * c, t + h));
  }
  return y;
}

MixtureLine three_peaks() {
  return MixtureLine({{0.2, {-2, 0.05}}, {0.5, {0.3, 0.02}}, {0.3, {1.5, 0.3}}});
}

const double kJumps[][2] = {{1, 0}, {0.9, 0.2}, {0.5, 0.05}, {0.3, 0.8}, {1, 0.5}};

BOOST_AUTO_TEST_CASE(gaussian_solutions_follow_the_velocity) {
  const GaussianLine line{0.7, 0.3};
  for (const auto& [t, s] : kJumps) {
    for (const double y : {-3.0, 0.2, 2.0}) {
      const double expected =
          integrate([&](double x, double u) { return line.velocity(x, u); }, y, t, s);
      BOOST_TEST(std::abs(line.solution(y, t, s) - expected) < 1e-11);
    }
  }
}

BOOST_AUTO_TEST_CASE(mixture_solutions_follow_the_velocity) {
  const MixtureLine line = three_peaks();
  for (const auto& [t, s] : kJumps) {
    for (const double y : {-4.0, -1.0, 0.1, 0.9, 4.5}) {
      const double expected =
          integrate([&](double x, double u) { return line.velocity(x, u); }, y, t, s);
      BOOST_TEST(std::abs(line.solution(y, t, s) - expected) < 1e-8 * (1 + std::abs(expected)),
                 "t " << t << " s " << s << " y " << y);
    }
  }
}

BOOST_AUTO_TEST_CASE(mixture_solutions_compose_also_in_the_tails) {
  const MixtureLine line = three_peaks();
  for (const double y : {-9.0, -0.5, 0.0, 1.0, 9.0}) {
    const double two = line.solution(line.solution(y, 1, 0.4), 0.4, 0);
    BOOST_TEST(std::abs(two - line.solution(y, 1, 0)) < 1e-10, "y " << y);
    BOOST_TEST(std::abs(line.solution(line.solution(y, 1, 0), 0, 1) - y) < 1e-8, "y " << y);
  }
}

BOOST_AUTO_TEST_CASE(a_mixture_of_one_part_is_a_gaussian) {
  const GaussianLine gaussian{0.7, 0.3};
  const MixtureLine mixture({{1, gaussian}});
  BOOST_TEST(std::abs(mixture.velocity(1.3, 0.6) - gaussian.velocity(1.3, 0.6)) < 1e-14);
  BOOST_TEST(std::abs(mixture.solution(1.3, 0.6, 0.1) - gaussian.solution(1.3, 0.6, 0.1)) < 1e-13);
  BOOST_TEST(mixture.mean() == 0.7);
  BOOST_TEST(mixture.variance() == 0.3);
}

BOOST_AUTO_TEST_CASE(guided_solutions_follow_the_guided_velocity) {
  for (const double w : {0.0, 1.0, 2.5, 4.5}) {
    const GuidedLine line(0.25, 1, w);
    for (const auto& [t, s] : kJumps) {
      const auto [scale, shift] = line.solution(t, s);
      const double expected =
          integrate([&](double x, double u) { return line.velocity(x, u, 0.8); }, 1.1, t, s);
      BOOST_TEST(std::abs(scale * 1.1 + shift * 0.8 - expected) < 1e-9, "w " << w << " t " << t);
    }
  }
}

BOOST_AUTO_TEST_CASE(scale_0_is_unconditioned_and_scale_1_is_conditioned) {
  const GuidedLine unconditioned(0.25, 1, 0), conditioned(0.25, 1, 1);
  BOOST_TEST(std::abs(unconditioned.solution(1, 0).shift) < 1e-15);
  BOOST_TEST(std::abs(unconditioned.solution(1, 0).scale - std::sqrt(1.25)) < 1e-14);
  BOOST_TEST(std::abs(conditioned.solution(1, 0).shift - 1) < 1e-9);
  BOOST_TEST(std::abs(conditioned.solution(1, 0).scale - 0.5) < 1e-14);
}

}  // namespace
}  // namespace eflow::soflow
