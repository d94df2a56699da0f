// eflow train

#include <cmath>
#include <cstdio>
#include <utility>

#include "eflow/core/base/error.hpp"
#include "eflow/trainer/config/exit_code.hpp"
#include "eflow/trainer/options/option_parser.hpp"
#include "eflow/trainer/program/arguments.hpp"
#include "eflow/trainer/program/console.hpp"
#include "eflow/trainer/program/progress.hpp"
#include "eflow/trainer/program/ranks/world.hpp"
#include "eflow/trainer/program/signals.hpp"
#include "eflow/trainer/run/later_stages.hpp"
#include "eflow/trainer/run/stages.hpp"
#include "eflow/trainer/run/training_plan.hpp"
#include "eflow/trainer/run/training_run.hpp"

namespace eflow::program {
namespace {

using trainer::Console;
using trainer::Option;

struct TrainFlags {
  std::string config, out, resume = "auto";
  trainer::LaterStages later_stages = trainer::LaterStages::kRefuse;
  bool dry_run = false;

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
  if (!parser.given("out")) parser.add_problem("--out is missing");
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

/// Trains one stage. Returns true if a signal stopped it.
bool run(const trainer::Stage& stage, const std::string& resume, comm::Communicator* ranks) {
  const trainer::Config& config = stage.config;
  std::unique_ptr<trainer::Progress> progress;
  double held_out = 0;
  trainer::TrainingHooks hooks;
  hooks.stop = stop_requested;
  hooks.say = say;
  hooks.ranks = ranks;
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
  if (result.stopped && result.checkpoint.empty()) {
    say(str(stage.out.string(),
            ": stopped before the first step; run the same command again to continue"));
    return true;
  }
  say(str(stage.out.string(), ": ", result.stopped ? "stopped and saved" : "finished", " at step ",
          result.step, result.stopped ? "; run the same command again to continue" : ""));
  return result.stopped;
}

int describe(const std::vector<trainer::Stage>& stages, const std::string& resume) {
  for (const trainer::Stage& stage : stages) {
    if (stages.size() > 1) std::printf("%s\n", stage.out.c_str());
    std::printf("%s", trainer::describe_training(stage.config, stage.out, resume).c_str());
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
  if (flags.dry_run) return describe(stages, flags.resume);
  install_stop_signals();
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
