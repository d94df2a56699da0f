// How long training waits for its checkpoints, and what writing them in the background costs the
// steps meanwhile.
//
//   checkpoint_bench [--dim N] [--steps N] [--every N] [--folder DIR]
//
// Trains the same run without saves, with synchronous and with background saves, in turn and several
// times. The wait of a save is the time between the reports of two steps that is not the step's own
// (StepMetrics::step_s), less the same for steps without a save. The folder's disk matters: the
// default is the current folder.

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string_view>
#include <vector>

#include "eflow/core/base/error.hpp"
#include "eflow/core/base/stopwatch.hpp"
#include "eflow/trainer/run/training_run.hpp"

namespace {

using eflow::trainer::Config;

struct Options {
  std::int64_t dim = 384, steps = 60, every = 10;
  std::filesystem::path folder = ".";
};

Options parse(int argc, char** argv) {
  Options o;
  for (int i = 1; i + 1 < argc; i += 2) {
    const std::string_view name = argv[i];
    if (name == "--dim") {
      o.dim = std::atoll(argv[i + 1]);
    } else if (name == "--steps") {
      o.steps = std::atoll(argv[i + 1]);
    } else if (name == "--every") {
      o.every = std::atoll(argv[i + 1]);
    } else if (name == "--folder") {
      o.folder = argv[i + 1];
    } else {
      throw eflow::InvalidArgument(eflow::str("[checkpoint_bench] ", name, " is unknown"));
    }
  }
  return o;
}

/// A model on an exact flow: no data set, and few tokens, so that the state is large for the time of
/// a step.
Config config_of(const Options& o) {
  Config c;
  c.data.exact.enabled = true;
  c.data.exact.flow.clip = {2, 4, 4, 4};
  c.model.dim = o.dim;
  c.model.heads = 4;
  c.model.patch = {1, 2, 2};
  c.train.batch = 4;
  c.train.iterations = o.steps;
  c.optim.lr.warmup = 1;
  c.eval.every = c.sample.every = 0;
  return c;
}

double median(std::vector<double> values) {
  if (values.empty()) return 0;
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

/// Seconds, of all rounds of one way to save.
struct Times {
  std::vector<double> plain = {}, saved = {};  ///< outside steps without and with a save
  std::vector<double> steps = {};  ///< whole steps, waits included, averaged over a save
  [[nodiscard]] double wait() const { return median(saved) - median(plain); }
};

constexpr int kRounds = 3;

/// Appends the times of one run. The first two saves fill memory and caches; the last one is waited
/// for at the end of the run in any case.
void run(Config config, const Options& o, std::int64_t every, bool async, Times* times) {
  config.checkpoint.every = every;
  config.checkpoint.async = async;
  const std::filesystem::path out = o.folder / "checkpoint_bench.run";
  std::filesystem::remove_all(out);
  double sum = 0;
  eflow::Stopwatch watch;
  eflow::trainer::TrainingHooks hooks;
  hooks.on_step = [&](const eflow::trainer::StepMetrics& m) {
    const double seconds = watch.seconds();
    watch = eflow::Stopwatch();
    if (m.step <= 2 * o.every || m.step == o.steps) return;
    const bool saves = every > 0 && m.step % every == 0;
    (saves ? times->saved : times->plain).push_back(seconds - m.step_s);
    sum += seconds;
    if (m.step % o.every != 0) return;
    times->steps.push_back(sum / static_cast<double>(o.every));
    sum = 0;
  };
  eflow::trainer::run_training(config, out, "never", hooks);
  std::filesystem::remove_all(out);
}

void print(const char* name, const Times& times) {
  std::printf("%-12s  %10.2f ms  %10.2f ms\n", name, 1e3 * times.wait(), 1e3 * median(times.steps));
}

}  // namespace

int main(int argc, char** argv) try {
  const Options o = parse(argc, argv);
  const Config config = config_of(o);
  Times none, sync, async;
  for (int round = 0; round < kRounds; ++round) {
    run(config, o, 0, false, &none);
    run(config, o, o.every, false, &sync);
    run(config, o, o.every, true, &async);
  }
  none.saved = none.plain;
  std::printf("a save every %lld steps; medians\n%-12s  %13s  %13s\n",
              static_cast<long long>(o.every), "saves", "wait a save", "a step, in all");
  print("none", none);
  print("synchronous", sync);
  print("background", async);
  std::printf("a background save makes training wait %.1f %% as long as a synchronous one\n",
              100 * async.wait() / sync.wait());
  return 0;
} catch (const std::exception& error) {
  std::fprintf(stderr, "%s\n", error.what());
  return 1;
}
