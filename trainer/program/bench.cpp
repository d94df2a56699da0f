// eflow bench step: measures a training step.

#include <algorithm>
#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>

#include "eflow/core/base/error.hpp"
#include "eflow/io/dataset/synth.hpp"
#include "eflow/trainer/bench/step_bench.hpp"
#include "eflow/trainer/config/model_config.hpp"
#include "eflow/trainer/data/assumed_clips.hpp"
#include "eflow/trainer/data/data_sets.hpp"
#include "eflow/trainer/data/exact_source.hpp"
#include "eflow/trainer/options/option_parser.hpp"
#include "eflow/trainer/program/arguments.hpp"
#include "eflow/trainer/run/stages.hpp"
#include "eflow/trainer/run/training_run.hpp"

namespace eflow::program {
namespace {

using trainer::Option;

nlohmann::ordered_json to_json(const trainer::StepBench& b) {
  const auto share = [&](double seconds) { return seconds / b.step_s; };
  return {{"step_s", b.step_s},
          {"data_wait_s", b.times.data_wait},
          {"forward_s", b.times.forward},
          {"backward_s", b.times.backward},
          {"optimizer_s", b.times.optimizer},
          {"gemm_alone_s", b.gemm_s},
          {"gemm_share", share(b.gemm_s)},
          {"gflop", b.gflop},
          {"gflops", b.gflops()},
          {"peak_gflops", b.peak_gflops},
          {"share_of_peak", b.gflops() / b.peak_gflops},
          {"peak_memory_mib", static_cast<double>(b.peak_bytes) / (1 << 20)},
          {"parameters", b.parameters},
          {"tokens", b.tokens},
          {"threads", b.threads}};
}

/// The sizes from which a peer in another framework is built (benchmarks/peer_torch.py).
nlohmann::ordered_json model_to_json(const nn::DiTConfig& m, const trainer::Config& config) {
  const nn::Grid3 grid = m.grid();
  return {{"dim", m.dim},
          {"heads", m.heads},
          {"hidden", m.hidden},
          {"blocks", m.blocks()},
          {"encoder", m.encoder},
          {"decoder", m.decoder},
          {"grid", {grid.t, grid.h, grid.w}},
          {"tokens", grid.count()},
          {"patch", {m.patch.t, m.patch.h, m.patch.w}},
          {"channels", m.channels},
          {"frames", m.frames},
          {"height", m.height},
          {"width", m.width},
          {"classes", m.classes},
          {"attention", nn::name_of(m.attention)},
          {"radius", m.window_radius()},
          {"prediction", nn::name_of(m.prediction)},
          {"batch", config.train.batch},
          {"fm_share", config.objective.fm_share}};
}

/// The configuration to measure: that of a stage, if there are stages.
trainer::Config config_of_stage(const trainer::Config& base, trainer::OptionParser* parser,
                                std::int64_t stage) {
  const bool has_stages = !parser->stage_settings().empty();
  const auto stages = trainer::stages_of(base, parser, "");
  parser->finish();
  const auto count = has_stages ? static_cast<std::int64_t>(stages.size()) : 0;
  if (stage > count || (has_stages && stage == 0)) {
    throw InvalidArgument(
        has_stages
            ? str("--stage: expected the stage to measure, from 1 to ", count, "; found ", stage)
            : str("--stage: the configuration has no stages; found ", stage));
  }
  return stages[static_cast<std::size_t>(std::max<std::int64_t>(stage, 1) - 1)].config;
}

/// The clips of data.dir, of the exact flow, random ones of data.clip, or synthetic ones.
std::unique_ptr<io::ClipSource> source_of(const trainer::Config& config) {
  if (config.objective.kind != trainer::ObjectiveKind::kEFlow) {
    throw InvalidArgument(
        str("objective.kind: eflow bench step measures EFlow's losses only; expected eflow, found ",
            name_of(config.objective.kind)));
  }
  if (!config.data.buckets.empty())
    std::fprintf(stderr,
                 "data.buckets is not measured: all clips have the shape of the run's own\n");
  if (config.data.exact.enabled)
    return std::make_unique<trainer::ExactSource>(config.data.exact.flow);
  if (!config.data.dir.empty())
    return trainer::open_dataset(config.data.dir, config.data.context_length);
  if (!config.data.clip.empty()) return std::make_unique<trainer::AssumedClips>(config);
  return std::make_unique<io::SynthShapes>();
}

}  // namespace

int bench_step(const Arguments& arguments) {
  trainer::Config config;
  std::string file, trace_file;
  std::int64_t steps = 5, stage = 0;
  bool json = false;
  std::vector<Option> options = {
      {"config", &file, "Configuration file."},
      {"steps", &steps, trainer::between(1, 10000), "steps",
       "Measured steps; the median is reported."},
      {"stage", &stage, trainer::between(0, 99),
       "Stage to measure, if the configuration has stages."},
      {"trace", &trace_file,
       "Trace the kernels of one further step into this file, for chrome://tracing."},
      {"json", &json, "Print one JSON object instead of text."},
  };
  for (Option& option : trainer::options_of(config)) options.push_back(std::move(option));
  if (wants_help(arguments)) {
    return print_help({"eflow bench step [--config FILE] [--json] [--section.key=value ...]",
                       "Measures a training step on the data set of --data.dir, on random clips of "
                       "--data.clip, or on "
                       "synthetic clips."},
                      options);
  }
  trainer::OptionParser parser(options);
  const std::string path = trainer::peek_argument(arguments, "config");
  if (!path.empty()) parser.parse_file(path);
  parser.parse_arguments(arguments);
  parser.finish();
  trainer::apply_preset(&config, [&](const std::string& key) { return parser.given(key); });
  config = trainer::resolved(config_of_stage(config, &parser, stage));
  trainer::use_threads(config.train.threads);
  const auto source = source_of(config);
  trainer::check_condition(config, trainer::describe(*source).clips);
  const auto trace = trace_file.empty() ? nullptr : std::make_shared<Trace>();
  const trainer::StepBench bench = trainer::bench_step(config, *source, steps, trace);
  if (trace) trace->write(trace_file);
  auto line = to_json(bench);
  if (json) {
    line["model"] = model_to_json(bench.model, config);
    return std::printf("%s\n", line.dump().c_str()), 0;
  }
  for (const auto& [key, value] : line.items())
    std::printf("%-16s %s\n", key.c_str(), value.dump().c_str());
  return 0;
}

}  // namespace eflow::program
