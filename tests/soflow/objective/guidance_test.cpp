#define BOOST_TEST_MODULE guidance
#include "eflow/soflow/objective/guidance.hpp"

#include <boost/test/unit_test.hpp>
#include <cmath>

#include "eflow/core/base/error.hpp"
#include "eflow/tests/support/model_check.hpp"

namespace eflow::soflow {
namespace {

const PerSample kT = {0.9, 0.5};

/// F - v_tgt vanishes at F = w v + (1 - w) v_uncond for every m.
BOOST_AUTO_TEST_CASE(the_fixed_point_does_not_depend_on_the_mix) {
  const Tensor v = test::values({2, 6}, 1), v_uncond = test::values({2, 6}, 2);
  const double w = 3;
  const Tensor fixed = v * w + v_uncond * (1 - w);
  for (const double m : {1.0, 0.25}) {
    const GuidanceOptions options{.scale = w, .mix = m};
    const TargetFactors factors(options, {w, w}, kT, {false, false});
    BOOST_TEST(test::distance(target_velocity(factors, v, v_uncond, fixed), fixed) < 1e-14);
    const Tensor other = test::values({2, 6}, 3);
    const Tensor error = other - target_velocity(factors, v, v_uncond, other);
    BOOST_TEST(test::distance(error, (other - fixed) * m) < 1e-14);
  }
}

BOOST_AUTO_TEST_CASE(guidance_is_off_for_dropped_samples_and_near_noise) {
  const GuidanceOptions options{.scale = 3, .mix = 0.25, .decay_time = 0.8};
  const TargetFactors factors(options, {3, 3, 3}, {0.5, 0.5, 1}, {true, false, false});
  BOOST_TEST(factors.path[0] == 1);
  BOOST_TEST(factors.unconditional[0] == 0);
  BOOST_TEST(factors.own[0] == 0);
  BOOST_TEST(factors.path[1] == 0.75);
  BOOST_TEST(factors.unconditional[1] == -0.5);
  BOOST_TEST(factors.path[2] == 0.25);  // g(1) = 0: w = 1
  BOOST_TEST(guidance_decay(0.8, 0.8) == 1);
  BOOST_TEST(guidance_decay(0.9, 0.8) == 1 - std::exp(-0.025), boost::test_tools::tolerance(1e-9));

  const TargetFactors plain({}, {1, 1}, kT, {false, false});
  BOOST_TEST(!plain.needs_unconditional());
  BOOST_TEST(!plain.needs_own());
}

BOOST_AUTO_TEST_CASE(scales_are_drawn_for_a_step_or_for_each_sample) {
  const std::vector<std::int64_t> ids = {0, 7, 8, 9};
  const auto scales = [&](const GuidanceOptions& options, std::uint64_t step) {
    return draw_scales(options, {.seed = 1, .purpose = 26, .step = step}, ids);
  };
  BOOST_TEST(scales({.scale = 3}, 0) == PerSample(4, 3), boost::test_tools::per_element());
  GuidanceOptions options{.scale = 2.5, .scale_max = 4.5};
  const PerSample one = scales(options, 0);
  BOOST_TEST(one == PerSample(4, one[0]), boost::test_tools::per_element());
  BOOST_TEST(scales(options, 1)[0] != one[0]);
  options.per_sample = true;
  const PerSample each = scales(options, 0);
  BOOST_TEST(each[0] != each[1]);
  double low = 9, high = 0;
  for (std::uint64_t step = 0; step < 200; ++step) {
    for (const double w : scales(options, step)) low = std::min(low, w), high = std::max(high, w);
  }
  BOOST_TEST(low >= 2.5);
  BOOST_TEST(low < 2.55);
  BOOST_TEST(high < 4.5);
  BOOST_TEST(high > 4.45);
}

BOOST_AUTO_TEST_CASE(kinds_have_names) {
  for (const char* name : {"null", "weak"}) BOOST_TEST(name_of(unconditional_kind(name)) == name);
  BOOST_CHECK_THROW(static_cast<void>(unconditional_kind("strong")), InvalidArgument);
}

}  // namespace
}  // namespace eflow::soflow
