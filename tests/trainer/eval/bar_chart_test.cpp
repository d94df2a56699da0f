// Bar charts: parsing, refusals, and bar lengths in proportion to their means.
#define BOOST_TEST_MODULE bar_chart
#include "eflow/trainer/eval/bar_chart.hpp"

#include <boost/test/unit_test.hpp>
#include <cmath>
#include <limits>
#include <regex>

#include "eflow/core/base/error.hpp"

using namespace eflow;
using namespace eflow::trainer;

namespace {

/// Width of the first bar.
double bar_width(const BarChart& chart) {
  const std::string svg = to_svg(chart);
  std::smatch match;
  BOOST_REQUIRE(std::regex_search(svg, match, std::regex("width='([^']*)'[^>]*class='bar'")));
  return std::stod(match[1]);
}

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

}  // namespace

BOOST_AUTO_TEST_CASE(bars_are_as_long_as_their_means) {
  const auto width = [](double value) {
    return bar_width({"T", {{"A", {value}}, {"B", {8}}}, {}});
  };
  BOOST_TEST(width(4) / width(2) == 2, boost::test_tools::tolerance(0.02));
  BOOST_TEST(width(0) == 0);
}

BOOST_AUTO_TEST_CASE(spread_is_the_sample_standard_deviation) {
  const auto [mean, spread] = mean_and_spread({1, 2, 3});
  BOOST_TEST(mean == 2);
  BOOST_TEST(spread == 1);
  BOOST_TEST(mean_and_spread({5}).spread == 0);
}

BOOST_AUTO_TEST_CASE(charts_are_read) {
  const BarChart chart = chart_from_json(
      R"({"title": "t", "bars": [{"name": "a", "values": [1, 2]}], "lines": [{"name": "l", "value": 3}]})",
      "here");
  BOOST_TEST(chart.title == "t");
  BOOST_TEST(chart.bars.at(0).values == (std::vector<double>{1, 2}),
             boost::test_tools::per_element());
  BOOST_TEST(chart.lines.at(0).value == 3);
  BOOST_TEST(contains(to_svg(chart), "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 "));
  BOOST_CHECK_THROW(static_cast<void>(chart_from_json("{}", "here")), InvalidArgument);
}

BOOST_AUTO_TEST_CASE(what_cannot_be_drawn_is_refused) {
  BOOST_CHECK_THROW(static_cast<void>(to_svg({"t", {}, {}})), InvalidArgument);
  BOOST_CHECK_THROW(static_cast<void>(to_svg({"t", {{"a", {}}}, {}})), InvalidArgument);
  BOOST_CHECK_THROW(static_cast<void>(to_svg({"t", {{"a", {-1}}}, {}})), InvalidArgument);
  const double none = std::numeric_limits<double>::quiet_NaN();
  BOOST_CHECK_THROW(static_cast<void>(to_svg({"t", {{"a", {1}}}, {{"l", none}}})), InvalidArgument);
}

BOOST_AUTO_TEST_CASE(every_name_and_seed_appears_and_markup_is_escaped) {
  const std::string svg = to_svg({"E < 1 & more", {{"a>b", {1, 2, 3}}}, {{"floor", 0.5}}});
  BOOST_TEST(contains(svg, ">E &lt; 1 &amp; more</text>"));
  BOOST_TEST(contains(svg, ">a&gt;b</text>"));
  BOOST_TEST(contains(svg, ">2 \u00b1 1</text>"));
  BOOST_TEST(contains(svg, ">floor: 0.5</text>"));
  std::size_t seeds = 0;
  for (std::size_t at = svg.find("<circle"); at != std::string::npos;
       at = svg.find("<circle", at + 1))
    ++seeds;
  BOOST_TEST(seeds == 3u);
}
