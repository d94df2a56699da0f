// eflow plot

#include "arguments.hpp"
#include "eflow/base/atomic_file.hpp"
#include "eflow/io/png.hpp"
#include "eflow/trainer/bar_chart.hpp"

namespace eflow::program {

int plot(const Arguments& arguments) {
  std::string data, out;
  const std::vector<trainer::Option> options = {
      {"data", &data, {}, "", "JSON: title, bars of name and values, lines of name and value."},
      {"out", &out, {}, "", "PNG file to write."},
  };
  if (wants_help(arguments)) {
    return print_help({"eflow plot --data CHART.json --out CHART.png",
                       "Draws a bar chart: the mean of each arm, its spread, every seed."},
                      options);
  }
  parse(arguments, options, {"data", "out"});
  io::write_png(out, draw(trainer::chart_from_json(read_file(data, 1 << 24), data)));
  return 0;
}

}  // namespace eflow::program
