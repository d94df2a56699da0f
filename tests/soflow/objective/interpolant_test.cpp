#define BOOST_TEST_MODULE interpolant
#include "eflow/soflow/objective/interpolant.hpp"

#include <boost/test/unit_test.hpp>

#include "eflow/core/tensor/ops.hpp"
#include "eflow/tests/soflow/gaussian_flow.hpp"

namespace eflow::soflow {
namespace {

const test::GaussianFlow kFlow(6);

BOOST_AUTO_TEST_CASE(the_path_goes_from_data_to_noise) {
  const Tensor x0 = test::values({3, 2, 2}, 1), x1 = test::values({3, 2, 2}, 2);
  BOOST_TEST(test::distance(interpolate(x0, x1, {0, 0, 0}), x0) == 0);
  BOOST_TEST(test::distance(interpolate(x0, x1, {1, 1, 1}), x1) == 0);
  const PerSample t = {0.2, 0.5, 0.9}, l = {0.1, 0.5, 1};
  const Tensor moved = advance(interpolate(x0, x1, t), path_velocity(x0, x1), t, l);
  BOOST_TEST(test::distance(moved, interpolate(x0, x1, l)) < 1e-15);
}

BOOST_AUTO_TEST_CASE(a_solution_at_its_own_time_is_the_point_itself) {
  const Tensor x = test::values({2, 6}, 3, 1, DType::kF32);
  const Network arbitrary = [](const Tensor& at, const Tensor&, const Tensor&,
                               const nn::Condition&) { return sin(at * 50.0) * 1e4; };
  const PerSample t = {0.3, 0.7};
  BOOST_TEST(solve(arbitrary, x, t, t, {}).to_vector<float>() == x.to_vector<float>());
}

BOOST_AUTO_TEST_CASE(exact_solutions_compose) {
  const Tensor x = test::values({4, 6}, 4, 2);
  const auto f = [&](const Tensor& at, double t, double s) { return kFlow.solution(at, t, s); };
  BOOST_TEST(test::distance(f(f(x, 0.9, 0.4), 0.4, 0.1), f(x, 0.9, 0.1)) < 1e-14);
  // Its derivative in s is the velocity.
  const double h = 1e-5;
  const Tensor slope = (f(x, 0.6, 0.6 + h) - f(x, 0.6, 0.6 - h)) / (2 * h);
  BOOST_TEST(test::distance(slope, kFlow.velocity(x, 0.6)) < 1e-8);
}

BOOST_AUTO_TEST_CASE(the_solution_of_the_exact_network_is_the_exact_solution) {
  const Tensor x = test::values({2, 6}, 5);
  const Tensor y = solve(kFlow.network(), x, {0.8, 0.8}, {0.3, 0.3}, {});
  BOOST_TEST(test::distance(y, kFlow.solution(x, 0.8, 0.3)) < 1e-14);
}

}  // namespace
}  // namespace eflow::soflow
