#pragma once
// Bar charts of results as SVG: for each arm the mean over seeds, its standard deviation and every
// seed, with vertical lines for reference values.

#include <string>
#include <vector>

#include "eflow/core/base/export.hpp"

EFLOW_EXPORT_BEGIN

namespace eflow::trainer {

struct BarChart {
  struct Bar {
    std::string name = {};
    std::vector<double> values = {};  ///< one per seed, at least one
  };
  struct Line {
    std::string name = {};
    double value = 0;
  };
  std::string title = {};
  std::vector<Bar> bars = {};
  std::vector<Line> lines = {};
};

struct MeanAndSpread {
  double mean = 0, spread = 0;  ///< sample standard deviation; 0 for one value
};
[[nodiscard]] MeanAndSpread mean_and_spread(const std::vector<double>& values);

/// Parses {"title": .., "bars": [{"name": .., "values": [..]}], "lines": [{"name": .., "value": ..}]}.
/// Throws InvalidArgument naming `place` and the mistake.
[[nodiscard]] BarChart chart_from_json(const std::string& text, const std::string& place);

/// Returns an SVG document with one horizontal bar per arm, from 0 to its mean. Throws
/// InvalidArgument if there are no bars or if a value is negative or not finite.
[[nodiscard]] std::string to_svg(const BarChart& chart);

}  // namespace eflow::trainer

EFLOW_EXPORT_END
