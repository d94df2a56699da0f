#pragma once
// Bar charts of results: for each arm the mean over seeds, its spread, and every seed; with lines
// across for what all are measured against.

#include <string>
#include <vector>

#include "eflow/io/image.hpp"

namespace eflow::trainer {

struct BarChart {
  struct Bar {
    std::string name;
    std::vector<double> values;  ///< one a seed, at least one
  };
  struct Line {
    std::string name;
    double value = 0;
  };
  std::string title;
  std::vector<Bar> bars;
  std::vector<Line> lines;
};

struct MeanAndSpread {
  double mean = 0, spread = 0;  ///< sample standard deviation; 0 of one value
};
[[nodiscard]] MeanAndSpread mean_and_spread(const std::vector<double>& values);

/// {"title": .., "bars": [{"name": .., "values": [..]}], "lines": [{"name": .., "value": ..}]}.
/// Throws InvalidArgument naming `place` and what is wrong.
[[nodiscard]] BarChart chart_from_json(const std::string& text, const std::string& place);

/// One row a bar, from 0 to the right. Throws InvalidArgument without bars, or for values that are
/// negative or not finite.
[[nodiscard]] io::Image draw(const BarChart& chart);

}  // namespace eflow::trainer
