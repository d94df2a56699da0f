#include "eflow/trainer/eval/bar_chart.hpp"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <numeric>

#include "eflow/core/base/error.hpp"
#include "eflow/core/base/number_text.hpp"

namespace eflow::trainer {
namespace {

constexpr int kRow = 34, kMargin = 16, kPlot = 560, kNumbers = 190;
constexpr double kLetter = 8;  ///< width of a letter of 14 px text, estimated generously

std::string describe_briefly(double value) {
  return short_text(value, 3);
}

std::string escaped(const std::string& text) {
  std::string safe;
  for (const char c : text)
    safe += c == '&' ? "&amp;" : c == '<' ? "&lt;" : c == '>' ? "&gt;" : std::string(1, c);
  return safe;
}

std::string text_at(double x, double y, const std::string& text, const char* css = "ink") {
  return str("<text x='", x, "' y='", y, "' class='", css, "'>", escaped(text), "</text>\n");
}

std::string box(double x, double y, double width, double height, const char* css) {
  return str("<rect x='", x, "' y='", y, "' width='", width, "' height='", height, "' class='", css,
             "'/>\n");
}

void require_values(const BarChart& chart) {
  if (chart.bars.empty()) throw InvalidArgument("[plot] a chart needs at least one bar");
  const auto check = [](const std::string& name, double value) {
    if (!(value >= 0 && std::isfinite(value)))
      throw InvalidArgument(
          str("[plot] ", name, ": expected a finite number of at least 0, found ", value));
  };
  for (const auto& bar : chart.bars) {
    if (bar.values.empty()) throw InvalidArgument(str("[plot] ", bar.name, ": no values"));
    for (const double value : bar.values) check(bar.name, value);
  }
  for (const auto& line : chart.lines) check(line.name, line.value);
}

/// Returns the largest number drawn.
double reach(const BarChart& chart) {
  double most = 0;
  for (const auto& bar : chart.bars) {
    const auto [mean, spread] = mean_and_spread(bar.values);
    most = std::max({most, mean + spread, *std::max_element(bar.values.begin(), bar.values.end())});
  }
  for (const auto& line : chart.lines) most = std::max(most, line.value);
  return most > 0 ? most : 1;
}

}  // namespace

MeanAndSpread mean_and_spread(const std::vector<double>& values) {
  const auto n = static_cast<double>(values.size());
  const double mean = std::accumulate(values.begin(), values.end(), 0.0) / n;
  double squares = 0;
  for (const double value : values) squares += (value - mean) * (value - mean);
  return {mean, values.size() > 1 ? std::sqrt(squares / (n - 1)) : 0};
}

BarChart chart_from_json(const std::string& text, const std::string& place) {
  try {
    const auto json = nlohmann::json::parse(text);
    BarChart chart{.title = json.at("title"), .bars = {}, .lines = {}};
    for (const auto& bar : json.at("bars"))
      chart.bars.push_back({bar.at("name"), bar.at("values").get<std::vector<double>>()});
    for (const auto& line : json.value("lines", nlohmann::json::array()))
      chart.lines.push_back({line.at("name"), line.at("value")});
    return chart;
  } catch (const nlohmann::json::exception& error) {
    throw InvalidArgument(str("[plot] ", place, ": no chart: ", error.what()));
  }
}

std::string to_svg(const BarChart& chart) {
  require_values(chart);
  std::size_t letters = 0;
  for (const auto& bar : chart.bars) letters = std::max(letters, bar.name.size());
  const double left = 2 * kMargin + kLetter * static_cast<double>(letters), top = 3 * kMargin;
  const double height = kRow * static_cast<double>(chart.bars.size()), most = reach(chart);
  const double width = std::max(left + kPlot + kNumbers,
                                2 * kMargin + kLetter * static_cast<double>(chart.title.size()));
  const double whole = top + height + 2 * kMargin + 20 * static_cast<double>(chart.lines.size());
  const auto place = [&](double value) { return left + value / most * kPlot; };

  std::string svg = text_at(kMargin, kMargin + 14, chart.title);
  double y = top;
  for (const auto& bar : chart.bars) {
    const auto [mean, spread] = mean_and_spread(bar.values);
    const double middle = y + kRow / 2.0, low = place(std::max(0.0, mean - spread));
    svg += text_at(kMargin, middle + 5, bar.name);
    svg += box(left, y + 5, place(mean) - left, kRow - 10, "bar");
    svg += box(low, middle - 1, place(mean + spread) - low, 2, "seed");
    for (const double value : bar.values)
      svg += str("<circle cx='", place(value), "' cy='", middle, "' r='3' class='seed'/>\n");
    svg += text_at(left + kPlot + 12, middle + 5,
                   bar.values.size() > 1
                       ? describe_briefly(mean) + " \u00b1 " + describe_briefly(spread)
                       : describe_briefly(mean));
    y += kRow;
  }
  svg += box(left - 1, top, 1, height, "ink");
  y += kMargin + 14;
  for (const auto& line : chart.lines) {
    svg += box(place(line.value) - 1, top, 2, height, "line");
    svg += text_at(kMargin, y, line.name + ": " + describe_briefly(line.value), "line");
    y += 20;
  }
  return str("<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 ", width, " ", whole,
             "' width='", width, "' height='", whole,
             "'>\n<style>text{font:14px sans-serif}.ink{fill:#282828}.bar{fill:#78a0d2}"
             ".seed{fill:#1e3c6e}.line{fill:#c84632}</style>\n"
             "<rect width='100%' height='100%' fill='#fafafa'/>\n",
             svg, "</svg>\n");
}

}  // namespace eflow::trainer
