#include "eflow/jit/tune/tuner.hpp"

#include <algorithm>
#include <cmath>
#include <ctime>

#include "eflow/core/base/error.hpp"
#include "eflow/jit/kernel_builder.hpp"
#include "eflow/jit/tune/kernel_tuning_target.hpp"
#include "eflow/jit/tune/nearest_record.hpp"
#include "eflow/jit/tune/trial.hpp"

namespace eflow::jit {
namespace {

using Clock = std::chrono::steady_clock;

/// Attempts before a config that kills the process is excluded; a single death may have an external
/// cause.
constexpr int kTries = 2;
/// Seconds between saves: the most measurement time that a kill can lose.
constexpr double kSaveSeconds = 0.5;
constexpr double kSaySeconds = 5;
/// Configs that a race begins with, at most.
constexpr std::size_t kStart = 8;

double now_seconds() {
  return std::chrono::duration<double>(Clock::now().time_since_epoch()).count();
}

std::string utc_now() {
  const std::time_t now = std::time(nullptr);
  std::tm parts{};
  char text[32] = "";
  if (gmtime_r(&now, &parts) != nullptr)
    std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &parts);
  return text;
}

/// One run of the tuner.
class Tuning {
 public:
  Tuning(Runtime& runtime, const TuningDatabase& database, const TuningTarget& target,
         const Workload& workload, const TuneOptions& options)
      : runtime_(runtime),
        database_(database),
        subject_(target),
        workload_(workload),
        options_(options),
        record_(target.blank()) {}

  TuneOutcome run() {
    const FileLock lock = database_.lock(record_.key.device, record_.key.arch);
    const bool finished = take_over();
    if (!finished) begin_at_nearest();
    if (finished && !has_new()) return {.record = record_, .known = true, .complete = true};
    prepare_new();
    check_new();
    TuneOutcome out;
    const std::vector<int> runners = choose_runners(finished);
    race(runners, out);
    record_.finished = out.complete;
    if (!out.complete)
      say("  the time limit ended the race before it was decided: the record is unfinished and not "
          "used; run it again to continue");
    record_.at = utc_now();
    database_.put(record_);
    out.record = record_;
    return out;
  }

 private:
  void say(const std::string& line) const {
    if (options_.say) options_.say(line);
  }
  void save() {
    database_.put(record_);
    saved_ = now_seconds();
  }

  /// Fills the list of configs with the results of an earlier record of the same text and compiler.
  /// Returns whether that record was finished.
  bool take_over() {
    std::string why;
    const std::optional<TuningRecord> old = database_.get(record_.key, why);
    const bool comparable = old && old->text == record_.text &&
                            old->toolchain == record_.toolchain &&
                            old->tunables == record_.tunables;
    const bool same = comparable && !(options_.again && old->finished);
    for (ConfigRecord& config : record_.configs) {
      const int known = same ? old->find(config.values) : -1;
      if (known >= 0) config = old->configs[static_cast<std::size_t>(known)];
      if (config.state == ConfigState::kTrying) ended_the_process(config);
    }
    // The previous best stays the incumbent even when everything is re-measured, so that two runs
    // agree, and so do their kernels' results.
    const int best =
        comparable ? record_.find(old->configs[static_cast<std::size_t>(old->best)].values) : 0;
    record_.best = std::max(best, 0);
    if (best >= 0 && same) record_.gain = old->gain, record_.at = old->at;
    record_.finished = same && old->finished && best >= 0;
    return record_.finished;
  }

  /// Begins with the configs that were fastest where the most similar thing was tuned. All configs are
  /// timed here nevertheless.
  void begin_at_nearest() {
    std::vector<TuningRecord> known = database_.all();
    const std::vector<TuningRecord>& packed = runtime_.builder().packed_records();
    known.insert(known.end(), packed.begin(), packed.end());
    const TuningRecord* nearest = nearest_record(known, record_);
    if (nearest == nullptr) return;
    start_ = fastest_configs(*nearest, record_, kStart);
    if (start_.empty()) return;
    say(str("  the race begins with ", start_.size(), " configs that were the fastest for sizes ",
            to_string(nearest->key.shape), " on ", nearest->key.device, ", ", nearest->key.arch,
            "; all configs are timed here"));
  }

  void ended_the_process(ConfigRecord& config) {
    config.state = config.tries < kTries ? ConfigState::kNew : ConfigState::kCrashed;
    if (config.state == ConfigState::kCrashed)
      say(str("  ", record_.text_of(config), ": killed the tuner ", config.tries,
              " times; excluded"));
  }

  [[nodiscard]] bool has_new() const {
    return std::any_of(record_.configs.begin(), record_.configs.end(),
                       [](const ConfigRecord& c) { return c.state == ConfigState::kNew; });
  }

  /// Also prepares the configs that are already checked, because the race launches them.
  void prepare_new() {
    std::vector<ConfigRecord*> configs;
    for (ConfigRecord& c : record_.configs) {
      const bool wanted = c.state == ConfigState::kNew || c.state == ConfigState::kOk;
      if (wanted || configs.empty()) configs.push_back(&c);  // the default, always
    }
    subject_.prepare(configs, options_.say);
    for (const ConfigRecord* c : configs) {
      if (c->state == ConfigState::kFailed)
        say(str("  ", record_.text_of(*c), ": unavailable: ", c->why));
    }
  }

  void check_new() {
    if (!has_new()) return;
    ConfigRecord& first = record_.configs[0];
    if (first.state == ConfigState::kCrashed) {
      throw DeviceError(str("[jit] ", to_string(record_.key.kernel.spec, record_.key.kernel.name),
                            " killed the tuner twice with its default config; nothing was tuned"));
    }
    if (first.state == ConfigState::kNew) begin_try(first);
    if (const std::string why = try_first(first); !why.empty()) {
      throw DeviceError(str("[jit] ", to_string(record_.key.kernel.spec, record_.key.kernel.name),
                            ": the default config ", why, "; nothing was tuned"));
    }
    const std::vector<double> expected = results_of(first);
    first.state = ConfigState::kOk;
    first.tries = 0;
    for (std::size_t i = 1; i < record_.configs.size(); ++i) {
      ConfigRecord& c = record_.configs[i];
      if (c.state != ConfigState::kNew) continue;
      begin_try(c);
      check(c, expected);
    }
    save();
  }

  /// Saves before the config first runs, so that if it kills the process the next run knows the
  /// cause.
  void begin_try(ConfigRecord& c) {
    c.state = ConfigState::kTrying;
    ++c.tries;
    save();
  }

  /// Runs the config in a process of its own. Returns how it failed; empty: it did not.
  [[nodiscard]] std::string try_first(const ConfigRecord& c) const {
    if (runtime_.target().backend == Backend::kCuda || options_.trial_seconds <= 0) return "";
    return try_in_child([&] { workload_.launch(subject_.spec_of(c)); }, options_.trial_seconds);
  }

  void check(ConfigRecord& c, const std::vector<double>& expected) {
    if (c.why = try_first(c); !c.why.empty()) {
      c.state = ConfigState::kCrashed;
      say(str("  ", record_.text_of(c), ": ", c.why, "; excluded"));
      return;
    }
    try {
      const double difference = relative_difference(results_of(c), expected);
      const bool right = difference <= workload_.tolerance;
      c.state = right ? ConfigState::kOk : ConfigState::kWrong;
      if (!right)
        c.why = str("its results differ by ", difference, ", more than the allowed ",
                    workload_.tolerance);
    } catch (const Error& e) {
      c.state = ConfigState::kFailed;
      c.why = e.what();
    }
    c.tries = 0;
    if (c.state != ConfigState::kOk)
      say(str("  ", record_.text_of(c), ": ", name_of(c.state), ": ", c.why));
  }

  [[nodiscard]] std::vector<double> results_of(const ConfigRecord& c) const {
    workload_.clear();
    workload_.launch(subject_.spec_of(c));
    runtime_.synchronize();
    return workload_.result();
  }

  /// Returns the indices of the configs to race. After a finished record, only new configs race,
  /// against the best known one and the default; all of these are timed from scratch.
  std::vector<int> choose_runners(bool finished) {
    std::vector<int> out;
    for (std::size_t i = 0; i < record_.configs.size(); ++i) {
      ConfigRecord& c = record_.configs[i];
      const int index = static_cast<int>(i);
      const bool named = index == 0 || index == record_.best;
      if (c.state != ConfigState::kOk || (finished && !named && !c.us.empty())) continue;
      if (finished) c.us.clear();
      out.push_back(index);
    }
    return out;
  }

  /// At most every five seconds.
  void say_progress(int running, std::size_t all, double seconds_left) {
    if (now_seconds() - said_ < kSaySeconds) return;
    said_ = now_seconds();
    say(str("  ", running, " of ", all, " configs may still be the fastest; at most ",
            std::ceil(seconds_left), " s left"));
  }

  void race(const std::vector<int>& runners, TuneOutcome& out) {
    std::vector<Contestant> contestants;
    std::vector<std::vector<double>> samples;
    int incumbent = 0;
    for (const int i : runners) {
      ConfigRecord& c = record_.configs[static_cast<std::size_t>(i)];
      if (i == record_.best) incumbent = static_cast<int>(contestants.size());
      contestants.push_back({&workload_, subject_.spec_of(c)});
      samples.push_back(c.us);
    }
    BatchTimer timer(std::move(contestants), options_.clock ? options_.clock : wall_clock(runtime_),
                     options_.batch_seconds);
    const auto keep = [&] {
      for (std::size_t i = 0; i < runners.size(); ++i)
        record_.configs[static_cast<std::size_t>(runners[i])].us = samples[i];
    };
    record_.finished = false;
    RaceOptions rules = options_.race;
    for (std::size_t i = 0; i < runners.size(); ++i) {
      if (std::find(start_.begin(), start_.end(), runners[i]) != start_.end())
        rules.start.push_back(static_cast<int>(i));
    }
    const RaceResult result =
        run_race(samples, incumbent,
                 {.time = [&](int i) { return timer(i) * 1e6; },
                  .now = now_seconds,
                  .after_round =
                      [&] {
                        keep();
                        if (now_seconds() - saved_ >= kSaveSeconds) save();
                      },
                  .progress = [&](int running,
                                  double left) { say_progress(running, runners.size(), left); }},
                 rules);
    keep();
    record_.best = runners[static_cast<std::size_t>(result.best)];
    const double was = median_interval(record_.configs[0].us).median;
    record_.gain =
        1 -
        median_interval(record_.configs[static_cast<std::size_t>(record_.best)].us).median / was;
    out.separated = result.separated;
    out.complete = result.complete;
    out.margin = result.margin;
    out.rounds = result.rounds;
  }

  Runtime& runtime_;
  const TuningDatabase& database_;
  const TuningTarget& subject_;
  const Workload& workload_;
  const TuneOptions& options_;
  TuningRecord record_;
  std::vector<int> start_;  ///< see begin_at_nearest
  double saved_ = 0, said_ = now_seconds();
};

}  // namespace

TuneOutcome tune(Runtime& runtime, const TuningDatabase& database, const KernelRef& kernel,
                 const Workload& workload, const TuneOptions& options) {
  if (workload.target) return Tuning(runtime, database, *workload.target, workload, options).run();
  const KernelTuningTarget target(runtime, kernel, workload.shape);
  return Tuning(runtime, database, target, workload, options).run();
}

TuneOutcome tune(Runtime& runtime, const KernelRef& kernel, const Workload& workload,
                 const TuneOptions& options) {
  const DiskCache* disk = runtime.builder().disk();
  if (disk == nullptr) {
    throw InvalidArgument(str("[jit] there is no cache directory for tuning records: ",
                              runtime.builder().disk_why(), "; set EFLOW_CACHE_DIR"));
  }
  return tune(runtime, TuningDatabase(disk->options().root), kernel, workload, options);
}

}  // namespace eflow::jit
