#define BOOST_TEST_MODULE times
#include "eflow/soflow/objective/times.hpp"

#include <array>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>
#include <cmath>
#include <map>
#include <numeric>

#include "eflow/core/base/error.hpp"

namespace eflow::soflow {
namespace {

std::vector<std::int64_t> ids(std::int64_t count) {
  std::vector<std::int64_t> out(static_cast<std::size_t>(count));
  std::iota(out.begin(), out.end(), 0);
  return out;
}

BOOST_AUTO_TEST_CASE(shifts_have_inverses_and_fixed_ends) {
  for (const double u : {0.0, 0.1, 0.5, 0.99, 1.0}) {
    BOOST_TEST(shift_time(shift_time(u, 3), 1.0 / 3) == u, boost::test_tools::tolerance(1e-14));
  }
  BOOST_TEST(shift_time(0, 3) == 0);
  BOOST_TEST(shift_time(1, 3) == 1);
  BOOST_TEST(shift_time(0.5, 3) == 0.75);
}

BOOST_AUTO_TEST_CASE(draws_follow_the_law_and_the_id) {
  const LogitNormal law{.mean = -1, .deviation = 0.8, .shift = 2};
  const PerSample t = draw_times(law, {.seed = 1}, ids(4000));
  double sum = 0, squares = 0;
  for (const double each : t) {
    const double u = shift_time(each, 0.5), z = std::log(u / (1 - u));
    sum += z;
    squares += z * z;
  }
  const double mean = sum / 4000;
  BOOST_TEST(std::abs(mean + 1) < 0.05);
  BOOST_TEST(std::abs(std::sqrt(squares / 4000 - mean * mean) - 0.8) < 0.04);
  BOOST_TEST(draw_times(law, {.seed = 1}, {17, 3})[0] == t[17]);
  BOOST_TEST(draw_times(law, {.seed = 1, .step = 1}, {17})[0] != t[17]);
}

BOOST_AUTO_TEST_CASE(times_are_kept_apart) {
  const Times times = ordered_times({0.8, 0.5, 0, 1}, {0.3, 0.9, 0.2, 0}, 0.1);
  for (std::size_t i = 0; i < 4; ++i) {
    BOOST_TEST(times.t[i] - times.l[i] >= kTimeMargin * (1 - 1e-9));
    BOOST_TEST(times.s[i] <= times.l[i]);
    BOOST_TEST(times.s[i] >= 0);
  }
  BOOST_TEST(times.l[0] == 0.75, boost::test_tools::tolerance(1e-12));
  BOOST_TEST(times.s[1] == 0.5 - kTimeMargin);
}

BOOST_AUTO_TEST_CASE(the_ratio_goes_from_its_start_to_its_end) {
  RatioSchedule r{.init = 0.1, .end = 0.002, .iterations = 100};
  for (const RatioCurve curve :
       {RatioCurve::kExponential, RatioCurve::kLinear, RatioCurve::kCosine}) {
    r.curve = curve;
    BOOST_TEST(r.at(0) == 0.1, boost::test_tools::tolerance(1e-12));
    BOOST_TEST(r.at(100) == 0.002, boost::test_tools::tolerance(1e-12));
    BOOST_TEST(r.at(200) == 0.002, boost::test_tools::tolerance(1e-12));
    BOOST_TEST(r.at(50) < r.at(49));
    BOOST_TEST((ratio_curve(name_of(curve)) == curve));
  }
  r.curve = RatioCurve::kExponential;
  BOOST_TEST(r.at(50) == std::sqrt(0.1 * 0.002), boost::test_tools::tolerance(1e-12));
  r.curve = RatioCurve::kConstant;
  BOOST_TEST(r.at(0) == 0.002);
  BOOST_CHECK_THROW(static_cast<void>(ratio_curve("square")), InvalidArgument);
}

/// A later stage continues the schedule.
BOOST_AUTO_TEST_CASE(the_ratio_continues_in_a_later_stage) {
  const RatioSchedule whole{.init = 0.1, .end = 0.002, .iterations = 100},
      later{.init = 0.1, .end = 0.002, .iterations = 100, .first = 30};
  BOOST_TEST(later.at(0) == whole.at(30));
  BOOST_TEST(later.at(70) == whole.at(100));
  BOOST_TEST(later.at(71) == whole.at(100));
}

BOOST_AUTO_TEST_CASE(jumps_have_three_distinct_nodes_and_are_uniform) {
  std::vector<std::int64_t> ids(20000);
  std::iota(ids.begin(), ids.end(), 0);
  const RandomKey key{.seed = 1, .purpose = 27};
  const Times times = draw_jumps({.nodes = 4, .shift = 1}, key, ids);
  std::map<std::array<double, 3>, int> counts;
  for (std::size_t i = 0; i < ids.size(); ++i) {
    BOOST_TEST_REQUIRE((times.s[i] < times.l[i] && times.l[i] < times.t[i]));
    ++counts[{times.s[i], times.l[i], times.t[i]}];
  }
  BOOST_TEST(counts.size() == 10);  // 3 of 5 nodes
  for (const auto& [nodes, count] : counts) BOOST_TEST(std::abs(count - 2000) < 200);
}

BOOST_AUTO_TEST_CASE(jumps_are_on_the_shifted_grid_and_keep_their_distance) {
  const std::vector<std::int64_t> ids = {0, 1, 2, 3, 4, 5, 6, 7};
  const JumpLaw law{.nodes = 64, .shift = 3, .to_data = 1, .min_jump = 8};
  const Times times = draw_jumps(law, {.seed = 1}, ids);
  for (std::size_t i = 0; i < ids.size(); ++i) {
    const auto node = [](double t) { return 64 * shift_time(t, 1.0 / 3); };
    BOOST_TEST(times.s[i] == 0);
    BOOST_TEST(std::abs(node(times.t[i]) - std::round(node(times.t[i]))) < 1e-9);
    BOOST_TEST(node(times.t[i]) - node(times.l[i]) > 8 - 1e-9);
    BOOST_TEST(node(times.l[i]) > 8 - 1e-9);
    BOOST_TEST(times.t[i] <= 1);
  }
  BOOST_CHECK_THROW(static_cast<void>(draw_jumps({.nodes = 4, .min_jump = 3}, {}, ids)),
                    InvalidArgument);
}

}  // namespace
}  // namespace eflow::soflow
