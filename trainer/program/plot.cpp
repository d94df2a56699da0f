// eflow plot

#include "eflow/core/base/atomic_file.hpp"
#include "eflow/core/base/error.hpp"
#include "eflow/trainer/eval/bar_chart.hpp"
#include "eflow/trainer/program/arguments.hpp"

namespace eflow::program {

int plot(const Arguments& arguments) {
  std::string data, out;
  const std::vector<trainer::Option> options = {
      {"data", &data, "JSON: title, bars with name and values, lines with name and value."},
      {"out", &out, "SVG file to write."},
  };
  if (wants_help(arguments)) {
    return print_help({"eflow plot --data CHART.json --out CHART.svg",
                       "Draws a bar chart: the mean of each arm, its standard deviation, and every "
                       "seed."},
                      options);
  }
  parse(arguments, options, {"data", "out"});
  if (!out.ends_with(".svg"))
    throw InvalidArgument(
        str("--out: charts are SVG; expected a name ending in .svg, found '", out, "'"));
  write_file_atomically(out, to_svg(trainer::chart_from_json(read_file(data, 1 << 24), data)));
  return 0;
}

}  // namespace eflow::program
