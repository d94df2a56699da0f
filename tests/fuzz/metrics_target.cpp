// metrics.jsonl as a resumed run finds it, or somebody else's file of that name. The first byte says
// how many steps must be there.
#include "eflow/core/base/atomic_file.hpp"
#include "eflow/tests/fuzz/fuzz.hpp"
#include "eflow/trainer/step/metrics.hpp"

namespace eflow::fuzz {
namespace {

std::string lines(std::int64_t first, std::int64_t last) {
  std::string text;
  trainer::StepMetrics metrics;
  metrics.ids_hash = "0123456789abcdef";
  for (metrics.step = first; metrics.step <= last; ++metrics.step)
    text += trainer::to_json_line(metrics) + "\n";
  return text;
}

}  // namespace

std::vector<std::string> seeds() {
  using namespace std::string_literals;
  return {"\2"s + lines(1, 3), "\0"s + lines(1, 1), "\5"s + lines(4, 5) + "{\"step\": 6, \"lo",
          "\4"s};
}

void run(std::string_view input) {
  if (input.empty()) return;
  const std::int64_t step = input.front() % 8;
  const MemoryFile file(input.substr(1));
  trainer::MetricsWriter writer(file.path(), step < 0 ? -step : step);
  writer.append_lines("{\"step\": 1}\n");
  const std::string text = read_file(file.path());
  if (!writer.pending().empty() || !text.ends_with("{\"step\": 1}\n") ||
      (text.size() > 12 && text[text.size() - 13] != '\n'))
    throw std::logic_error("the file does not consist of whole lines");
}

}  // namespace eflow::fuzz
