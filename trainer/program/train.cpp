// eflow train

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <utility>

#include "eflow/core/base/error.hpp"
#include "eflow/core/comm/local_channel.hpp"
#include "eflow/trainer/config/exit_code.hpp"
#include "eflow/trainer/options/option_parser.hpp"
#include "eflow/trainer/plan/training_plan.hpp"
#include "eflow/trainer/program/arguments.hpp"
#include "eflow/trainer/program/console.hpp"
#include "eflow/trainer/program/progress.hpp"
#include "eflow/trainer/program/ranks/world.hpp"
#include "eflow/trainer/program/signals.hpp"
#include "eflow/trainer/run/later_stages.hpp"
#include "eflow/trainer/run/stages.hpp"
#include "eflow/trainer/run/training_run.hpp"

namespace eflow::program {
namespace {

using trainer::Console;
using trainer::Option;

struct TrainFlags {
  std::string config, out, resume = "auto";
  trainer::LaterStages later_stages = trainer::LaterStages::kRefuse;
  bool dry_run = false;
  trainer::PlannedRanks planned;
  std::int64_t simulated = 0;

  std::vector<Option> options(trainer::Config* c) {
    using enum trainer::LaterStages;
    std::vector<Option> all = {
        {"config", &config, "Configuration file; the command line overrides it."},
        {"data", &c->data.dir, "Same as --data.dir."},
        {"out", &out, "Folder of the run."},
        {"resume", &resume,
         "auto: from the run's newest good checkpoint, if any; never; or a checkpoint or run to "
         "start from."},
        {"later_stages", trainer::named(&later_stages, {kRefuse, kKeep, kRedo}),
         "Stages that began from an earlier stage which this command would train on, or which has "
         "changed: refuse, keep them as they are, or redo them (their folders are moved aside)."},
        {"init_from", &c->train.init_from, "Same as --train.init_from."},
        {"dry_run", &dry_run, "Check everything, describe the run, and stop."},
        {"ranks", &planned.ranks, trainer::between(0, 65536), "ranks",
         "With --dry-run: describe memory, messages and step time of each of this number of "
         "ranks."},
        {"ranks_simulated", &simulated, trainer::between(0, 1024), "ranks",
         "Train on this number of ranks that are threads of this process: the schedule of many "
         "ranks, for tiny models."},
        {"network", &planned.network,
         "With --ranks: nvlink4, infiniband-400, infiniband-200, ethernet-100, ethernet-25, "
         "ethernet-10, or GB/s and microseconds as `eflow bench comm` prints them: 12.5,30."},
        {"tflops", &planned.tflops, trainer::between(0, 1e6), "TFLOP/s",
         "With --ranks: what a rank sustains in a step (`eflow bench step`); 0: the peak of this "
         "device."},
    };
    for (Option& option : trainer::options_of(*c)) all.push_back(std::move(option));
    return all;
  }
};

/// Reads the file, then the command line, applies the preset to keys that neither sets, and then
/// derives the stages.
std::vector<trainer::Stage> read_stages(const Arguments& arguments, TrainFlags* flags) {
  trainer::Config config;
  trainer::OptionParser parser(flags->options(&config));
  const std::string file = trainer::peek_argument(arguments, "config");
  if (!file.empty()) parser.parse_file(file);
  parser.parse_arguments(arguments);
  require_given(&parser, "out");
  parser.finish();
  trainer::apply_preset(&config, [&](const std::string& key) { return parser.given(key); });
  auto stages = trainer::stages_of(config, &parser, flags->out);
  for (const trainer::Stage& stage : stages) {
    for (auto& problem : trainer::problems_of(stage.config)) parser.add_problem(std::move(problem));
  }
  parser.finish();
  return stages;
}

std::string short_number(double value) {
  char buffer[32];
  std::snprintf(buffer, sizeof buffer, "%.4g", value);
  return buffer;
}

/// Formats the loss and the raw error of each loss group that the step had samples of.
std::string errors_of(const trainer::StepMetrics& m) {
  const std::pair<const char*, double> all[] = {
      {"  fm ", m.fm_mse},     {"  scm ", m.scm_mse},          {"  mva ", m.mva_mse},
      {"  weak ", m.weak_mse}, {"  student ", m.matching_mse}, {"  score ", m.fake_mse}};
  std::string text = "loss " + short_number(m.loss);
  for (const auto& [name, error] : all) {
    if (!std::isnan(error)) text += name + short_number(error);
  }
  return text;
}

void say(const std::string& line) {
  Console::output().write(line + "\n");
}

/// Trains one stage. simulated: the ranks are threads of this process. Returns true if a signal
/// stopped it.
bool run(const trainer::Stage& stage, const std::string& resume, comm::Communicator* ranks,
         bool simulated = false) {
  const trainer::Config& config = stage.config;
  std::unique_ptr<trainer::Progress> progress;
  double held_out = 0;
  trainer::TrainingHooks hooks;
  hooks.stop = stop_requested;
  const bool speaks = !simulated || ranks->is_first();
  hooks.say = [speaks](const std::string& line) {
    if (speaks) say(line);
  };
  hooks.ranks = ranks;
  hooks.ranks_share_process = simulated;
  hooks.on_step = [&](const trainer::StepMetrics& m) {
    if (!progress) {  // starts after the first step, which fills pools and caches
      progress = std::make_unique<trainer::Progress>(
          Console::output(), "step", config.train.iterations, m.step, config.log.every);
    }
    if (m.eval_mse) held_out = *m.eval_mse;
    progress->update(m.step, errors_of(m) + (held_out > 0 ? "  held-out " + short_number(held_out)
                                                          : std::string()));
  };
  const auto result = trainer::run_training(config, stage.out, resume, hooks);
  progress.reset();
  if (!speaks) return result.stopped;
  if (result.stopped && result.checkpoint.empty()) {
    say(str(stage.out.string(),
            ": stopped before the first step; run the same command again to continue"));
    return true;
  }
  say(str(stage.out.string(), ": ", result.stopped ? "stopped and saved" : "finished", " at step ",
          result.step, result.stopped ? "; run the same command again to continue" : ""));
  return result.stopped;
}

/// "12.5 MB (rank 3) to 14.1 MB (rank 0)"
std::string range_of(const std::vector<double>& values, double unit, const char* name) {
  const auto [least, most] = std::minmax_element(values.begin(), values.end());
  const auto text = [&](auto at) {
    return str(short_number(*at / unit), " ", name, " (rank ", at - values.begin(), ")");
  };
  return str(text(least), " to ", text(most));
}

/// Trains on ranks that are threads of this process, and says how evenly they worked.
int simulate(const std::vector<trainer::Stage>& stages, const TrainFlags& flags) {
  const auto count = static_cast<std::size_t>(flags.simulated);
  std::vector<double> waited(count), bytes(count);
  bool stopped = false;
  comm::run_ranks(
      static_cast<int>(flags.simulated),
      [&](comm::Communicator& ranks) {
        bool stop = false;
        for (const trainer::Stage& stage : stages)
          stop = stop || run(stage, flags.resume, &ranks, true);
        const auto me = static_cast<std::size_t>(ranks.rank());
        waited[me] = ranks.waited_seconds();
        bytes[me] = static_cast<double>(ranks.bytes());
        if (ranks.is_first()) stopped = stop;
      },
      std::chrono::milliseconds(
          static_cast<std::int64_t>(1000 * stages.front().config.train.deadline)));
  say(str(count, " ranks: sent and received ", range_of(bytes, 1e6, "MB"), ", waited ",
          range_of(waited, 1, "s")));
  return stopped ? trainer::kExitSaved : trainer::kExitOk;
}

int describe(const std::vector<trainer::Stage>& stages, const std::string& resume,
             const trainer::PlannedRanks& planned) {
  for (const trainer::Stage& stage : stages) {
    if (stages.size() > 1) std::printf("%s\n", stage.out.c_str());
    std::printf("%s", trainer::describe_training(stage.config, stage.out, resume, planned).c_str());
  }
  return trainer::kExitOk;
}

}  // namespace

int train(const Arguments& arguments) {
  TrainFlags flags;
  if (wants_help(arguments)) {
    trainer::Config config;
    return print_help(
        {"eflow train [--config FILE] --data DIR --out RUN [--section.key=value ...]",
         "Trains a generator. Ctrl-C saves and stops; the same command continues the run."},
        flags.options(&config));
  }
  const auto stages = read_stages(arguments, &flags);
  if (stages.size() > 1 && flags.resume != "auto" && flags.resume != "never") {
    throw InvalidArgument(str("--resume: expected auto or never for a run of ", stages.size(),
                              " stages, as each resumes from its own checkpoints; found ",
                              flags.resume, "; to begin from another run, use --init-from"));
  }
  if (flags.planned.ranks > 0 && !flags.dry_run) {
    throw InvalidArgument(
        "--ranks: expected together with --dry-run, as it only plans; to start ranks, use `eflow "
        "launch -n N -- train ...`");
  }
  if (flags.dry_run) return describe(stages, flags.resume, flags.planned);
  install_stop_signals();
  if (flags.simulated > 0) {
    trainer::check_later_stages(stages, flags.later_stages, say);
    return simulate(stages, flags);
  }
  World world(stages.front().config.train.deadline, stop_requested);
  return world.guard([&] {
    world.log_to(flags.out);
    if (world.is_first()) trainer::check_later_stages(stages, flags.later_stages, say);
    for (const trainer::Stage& stage : stages) {
      if (run(stage, flags.resume, world.ranks())) return trainer::kExitSaved;
    }
    return trainer::kExitOk;
  });
}

}  // namespace eflow::program
