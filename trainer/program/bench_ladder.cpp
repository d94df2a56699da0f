// eflow bench ladder: times the recipe as it is assembled.

#include <cstdio>
#include <nlohmann/json.hpp>

#include "eflow/trainer/bench/ladder.hpp"
#include "eflow/trainer/program/arguments.hpp"
#include "eflow/trainer/run/training_run.hpp"

namespace eflow::program {
namespace {

using trainer::between;
using trainer::Ladder;
using trainer::Option;
using trainer::Rung;

nlohmann::ordered_json to_json(const Ladder& ladder) {
  auto rungs = nlohmann::ordered_json::array();
  const Rung& first = ladder.rungs.front();
  for (const Rung& rung : ladder.rungs) {
    rungs.push_back({{"name", rung.name},
                     {"step_s", rung.step_s},
                     {"its", 1 / rung.step_s},
                     {"relative", first.step_s / rung.step_s},
                     {"gflop", rung.gflop},
                     {"gflops", rung.gflop / rung.step_s},
                     {"relative_by_gflop", first.gflop / rung.gflop},
                     {"forwards_a_clip", rung.passes},
                     {"paper_its", rung.paper_its},
                     {"paper_relative", rung.paper_its / first.paper_its}});
  }
  return {{"rungs", rungs},
          {"softmax_forward_s", ladder.softmax_s},
          {"glga_forward_s", ladder.glga_s},
          {"latency_gain_80_against_4", ladder.latency_gain()},
          {"parameters", ladder.parameters},
          {"tokens", ladder.tokens},
          {"threads", ladder.threads}};
}

void print(const Ladder& ladder) {
  std::printf("%lld tokens, %lld parameters, %d threads\n", static_cast<long long>(ladder.tokens),
              static_cast<long long>(ladder.parameters), ladder.threads);
  std::printf("%-52s %8s %8s %9s %9s %9s %8s %8s\n", "rung", "s/step", "rate", "GFLOP/s",
              "by FLOPs", "forwards", "paper", "rate");
  const Rung& first = ladder.rungs.front();
  for (const Rung& r : ladder.rungs) {
    std::printf("%-52s %8.3f %7.2fx %9.1f %8.2fx %9.2f %8.3f %7.2fx\n", r.name.c_str(), r.step_s,
                first.step_s / r.step_s, r.gflop / r.step_s, first.gflop / r.gflop, r.passes,
                r.paper_its, r.paper_its / first.paper_its);
  }
  std::printf(
      "forward pass of one clip: softmax %.4f s, GLGA %.4f s; 40 x 2 softmax passes take %.1f "
      "times as long as 4 GLGA passes\n",
      ladder.softmax_s, ladder.glga_s, ladder.latency_gain());
}

}  // namespace

int bench_ladder(const Arguments& arguments) {
  trainer::LadderOptions ladder;
  std::int64_t threads = 0;
  bool json = false;
  const std::vector<Option> options = {
      {"width", &ladder.width, between(128, 16384), "Model width."},
      {"heads", &ladder.heads, between(1, 256), "Attention heads; must divide the width."},
      {"encoder", &ladder.encoder, between(1, 256), "blocks", "Blocks before the middle."},
      {"middle", &ladder.middle, between(1, 256), "blocks", "Blocks that token dropping affects."},
      {"decoder", &ladder.decoder, between(1, 256), "blocks", "Blocks after the middle."},
      {"frames", &ladder.frames, between(2, 256), "Frames of the token grid; even."},
      {"side", &ladder.side, between(2, 256), "Height and width of the token grid; even."},
      {"batch", &ladder.batch, between(4, 4096), "clips", "Clips per step."},
      {"rounds", &ladder.rounds, between(1, 1000), "steps",
       "Measured steps per rung; the median is reported."},
      {"calls", &ladder.calls, between(1, 1000), "Measured forward passes of each network."},
      {"threads", &threads, between(0, 1024), "threads", "Compute threads; 0: all cores."},
      {"json", &json, "Print one JSON object instead of text."},
  };
  if (wants_help(arguments)) {
    return print_help(
        {"eflow bench ladder [--json] [...]",
         "Times a training step as the recipe is assembled: flow matching with softmax, "
         "consistency, additivity, GLGA, path-drop guidance, token dropping. Compares the times "
         "with the cost model and the paper's figures. The clips are noise and the model is "
         "small."},
        options);
  }
  parse(arguments, options, {});
  trainer::use_threads(threads);
  const Ladder measured = trainer::measure_ladder(ladder);
  if (json) return std::printf("%s\n", to_json(measured).dump().c_str()), 0;
  print(measured);
  return 0;
}

}  // namespace eflow::program
