// Bar charts: what is read, what is refused, and that bars are as long as their numbers.
#define BOOST_TEST_MODULE bar_chart
#include "eflow/trainer/bar_chart.hpp"

#include <boost/test/unit_test.hpp>
#include <cmath>
#include <limits>

#include "eflow/base/error.hpp"
#include "eflow/trainer/bitmap_font.hpp"

using namespace eflow;
using namespace eflow::trainer;

namespace {

std::int64_t count_of(const io::Image& image, io::Rgb colour) {
  std::int64_t count = 0;
  for (int y = 0; y < image.height; ++y) {
    for (int x = 0; x < image.width; ++x)
      count += std::equal(colour.begin(), colour.end(), image.at(x, y));
  }
  return count;
}

}  // namespace

BOOST_AUTO_TEST_CASE(bars_are_as_long_as_their_means) {
  const auto bar_pixels = [](double value) {
    const BarChart chart{"T", {{"A", {value}}, {"B", {8}}}, {}};
    const BarChart without{"T", {{"A", {0}}, {"B", {8}}}, {}};
    const io::Rgb colour = {120, 160, 210};
    return static_cast<double>(count_of(draw(chart), colour) - count_of(draw(without), colour));
  };
  BOOST_TEST(bar_pixels(4) / bar_pixels(2) == 2, boost::test_tools::tolerance(0.02));
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
  BOOST_TEST(draw(chart).width > 500);
  BOOST_CHECK_THROW(static_cast<void>(chart_from_json("{}", "here")), InvalidArgument);
}

BOOST_AUTO_TEST_CASE(what_cannot_be_drawn_is_refused) {
  BOOST_CHECK_THROW(static_cast<void>(draw({"t", {}, {}})), InvalidArgument);
  BOOST_CHECK_THROW(static_cast<void>(draw({"t", {{"a", {}}}, {}})), InvalidArgument);
  BOOST_CHECK_THROW(static_cast<void>(draw({"t", {{"a", {-1}}}, {}})), InvalidArgument);
  const double none = std::numeric_limits<double>::quiet_NaN();
  BOOST_CHECK_THROW(static_cast<void>(draw({"t", {{"a", {1}}}, {{"l", none}}})), InvalidArgument);
}

BOOST_AUTO_TEST_CASE(letters_differ_and_stay_inside) {
  const auto drawn = [](std::string_view text) {
    io::Image image(8, 8);
    draw_text(&image, 1, 1, text, {255, 255, 255}, 1);
    return image;
  };
  const std::string known = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.,:-+=/%()<>|_";
  for (std::size_t i = 0; i < known.size(); ++i) {
    for (std::size_t j = 0; j < i; ++j)
      BOOST_TEST((drawn({&known[i], 1}) != drawn({&known[j], 1})));
  }
  BOOST_TEST((drawn("a") == drawn("A")));
  io::Image small(3, 3);
  draw_text(&small, -2, -2, "WW", {255, 255, 255}, 2);
  BOOST_TEST(small.width == 3);
}
