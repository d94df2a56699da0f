#include "eflow/trainer/bar_chart.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <numeric>

#include "eflow/base/error.hpp"
#include "eflow/trainer/bitmap_font.hpp"

namespace eflow::trainer {
namespace {

constexpr io::Rgb kPaper = {250, 250, 250}, kInk = {40, 40, 40}, kBar = {120, 160, 210},
                  kSpread = {30, 60, 110}, kLine = {200, 70, 50};
constexpr int kScale = 2, kRow = 34, kMargin = 16, kPlot = 560, kNumbers = 190;

std::string short_text(double value) {
  char buffer[32];
  std::snprintf(buffer, sizeof buffer, "%.3g", value);
  return buffer;
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

/// The largest number drawn.
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

io::Image draw(const BarChart& chart) {
  require_values(chart);
  int names = 0;
  for (const auto& bar : chart.bars) names = std::max(names, text_width(bar.name, kScale));
  const int left = 2 * kMargin + names, top = 3 * kMargin;
  const int rows = static_cast<int>(chart.bars.size()), bottom = top + rows * kRow;
  const int lines = static_cast<int>(chart.lines.size());
  const int width =
      std::max(left + kPlot + kNumbers, 2 * kMargin + text_width(chart.title, kScale));
  io::Image image(width, bottom + kMargin + lines * 20 + kMargin, kPaper);
  draw_text(&image, kMargin, kMargin, chart.title, kInk, kScale);

  const double most = reach(chart);
  const auto place = [&](double value) {
    return left + static_cast<int>(std::lround(value / most * kPlot));
  };
  for (int row = 0; row < rows; ++row) {
    const auto& bar = chart.bars[static_cast<std::size_t>(row)];
    const auto [mean, spread] = mean_and_spread(bar.values);
    const int y = top + row * kRow, middle = y + kRow / 2;
    draw_text(&image, kMargin, middle - 7, bar.name, kInk, kScale);
    fill_box(&image, left, y + 5, place(mean) - left, kRow - 10, kBar);
    const int low = place(std::max(0.0, mean - spread)), high = place(mean + spread);
    fill_box(&image, low, middle - 1, high - low + 1, 2, kSpread);
    for (const double value : bar.values)
      fill_box(&image, place(value) - 2, middle - 2, 5, 5, kSpread);
    const std::string numbers =
        short_text(mean) + (bar.values.size() > 1 ? " +/- " + short_text(spread) : "");
    draw_text(&image, left + kPlot + 12, middle - 7, numbers, kInk, kScale);
  }
  fill_box(&image, left - 1, top, 1, rows * kRow, kInk);
  for (int i = 0; i < lines; ++i) {
    const auto& line = chart.lines[static_cast<std::size_t>(i)];
    fill_box(&image, place(line.value), top, 2, rows * kRow, kLine);
    draw_text(&image, kMargin, bottom + kMargin + i * 20, line.name + ": " + short_text(line.value),
              kLine, kScale);
  }
  return image;
}

}  // namespace eflow::trainer
