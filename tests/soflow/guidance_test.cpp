#define BOOST_TEST_MODULE guidance
#include "eflow/soflow/guidance.hpp"

#include <boost/test/unit_test.hpp>
#include <cmath>

#include "support/model_check.hpp"

namespace eflow::soflow {
namespace {

const PerSample kT = {0.9, 0.5};

/// The pull towards the target vanishes at w v + (1 - w) v_uncond whatever m is.
BOOST_AUTO_TEST_CASE(the_fixed_point_does_not_depend_on_the_mix) {
  const Tensor v = test::values({2, 6}, 1), v_uncond = test::values({2, 6}, 2);
  const double w = 3;
  const Tensor fixed = v * w + v_uncond * (1 - w);
  for (const double m : {1.0, 0.25}) {
    const GuidanceOptions options{.scale = w, .mix = m};
    const TargetFactors factors(options, kT, {false, false});
    BOOST_TEST(test::distance(target_velocity(factors, v, v_uncond, fixed), fixed) < 1e-14);
    const Tensor other = test::values({2, 6}, 3);
    const Tensor pull = other - target_velocity(factors, v, v_uncond, other);
    BOOST_TEST(test::distance(pull, (other - fixed) * m) < 1e-14);
  }
}

BOOST_AUTO_TEST_CASE(guidance_is_off_for_dropped_samples_and_near_noise) {
  const GuidanceOptions options{.scale = 3, .mix = 0.25, .decay_time = 0.8};
  const TargetFactors factors(options, {0.5, 0.5, 1}, {true, false, false});
  BOOST_TEST(factors.path[0] == 1);
  BOOST_TEST(factors.unconditional[0] == 0);
  BOOST_TEST(factors.own[0] == 0);
  BOOST_TEST(factors.path[1] == 0.75);
  BOOST_TEST(factors.unconditional[1] == -0.5);
  BOOST_TEST(factors.path[2] == 0.25);  // g(1) = 0: w = 1
  BOOST_TEST(guidance_decay(0.8, 0.8) == 1);
  BOOST_TEST(guidance_decay(0.9, 0.8) == 1 - std::exp(-0.025), boost::test_tools::tolerance(1e-9));

  const TargetFactors plain({}, kT, {false, false});
  BOOST_TEST(!plain.needs_unconditional());
  BOOST_TEST(!plain.needs_own());
}

}  // namespace
}  // namespace eflow::soflow
