#include "eflow/trainer/run/training_run.hpp"

#include <algorithm>

#include "eflow/core/base/log.hpp"
#include "eflow/core/base/stopwatch.hpp"
#include "eflow/core/tensor/device.hpp"
#include "eflow/jit/host/thread_pool.hpp"
#include "eflow/jit/runtime.hpp"
#include "eflow/nn/dit/video_dit.hpp"
#include "eflow/soflow/objective/drift_alarm.hpp"
#include "eflow/trainer/config/exit_code.hpp"
#include "eflow/trainer/config/model_config.hpp"
#include "eflow/trainer/cost/device_peak.hpp"
#include "eflow/trainer/cost/model_flops.hpp"
#include "eflow/trainer/data/buckets.hpp"
#include "eflow/trainer/data/data_sets.hpp"
#include "eflow/trainer/run/generator.hpp"
#include "eflow/trainer/run/held_out.hpp"
#include "eflow/trainer/run/objective_config.hpp"
#include "eflow/trainer/run/on_policy_run.hpp"
#include "eflow/trainer/run/preview.hpp"
#include "eflow/trainer/run/resume.hpp"
#include "eflow/trainer/run/tensor_bytes.hpp"
#include "eflow/trainer/run/unused_options.hpp"
#include "eflow/trainer/step/freeze.hpp"
#include "eflow/trainer/step/trainer.hpp"

namespace eflow::trainer {
namespace {

TrainerOptions options_with(TrainerOptions options, const std::vector<Bucket>& buckets) {
  for (const Bucket& bucket : buckets) options.others.push_back({bucket.source, bucket.share});
  return options;
}

/// "cpu, avx512 on 2 threads"
std::string describe_device() {
  const DevicePtr& device = default_device();
  const jit::Runtime& runtime = device->runtime();
  const jit::Target target = runtime.target();
  return str(device->name(), ", ", target.arch,
             target.backend == jit::Backend::kHost ? str(" on ", runtime.pool().size(), " threads")
                                                   : std::string());
}

/// The clips of a run, if they have what the model takes.
DataSets open_for_training(const Config& config) {
  DataSets data = open_data(config.data);
  check_condition(config, data.info.clips);
  return data;
}

/// Data, models and trainer of a run. Each member may refer to those declared before it.
struct Parts {
  explicit Parts(const Config& config)
      : data(open_for_training(config)),
        buckets(open_buckets(parse_buckets(config.data.buckets), *data.training)),
        model(make_model(config, data.info.clips)),
        average(make_model(config, data.info.clips)),
        objective(objective_options(config, model->config())),
        anyflow(anyflow_options(config, model->config())),
        on_policy(config.objective.kind == ObjectiveKind::kAnyFlowOnPolicy
                      ? std::make_unique<OnPolicyRun>(config, data.info, model.get())
                      : nullptr),
        trainer(model.get(), average.get(), loss_of(config), data.training.get(),
                options_with(trainer_options(config), buckets)) {
    if (on_policy) trainer.attach(on_policy.get());
    if (config.train.accumulation > 1 && config.objective.kind != ObjectiveKind::kEFlow) {
      trainer.before_losses([this](const std::vector<soflow::Batch>& parts, std::int64_t step) {
        if (on_policy)
          on_policy->measure_level(parts, step);
        else
          level = anyflow.level(std::cref(*model), parts, step);
      });
    }
    // Fail now rather than at the first step of a bucket that does not fit the model.
    for (const Bucket& bucket : buckets) {
      const nn::DiTConfig other = model->config().for_clips(bucket.source->clip_shape());
      nn::check(other);
      static_cast<void>(soflow::kept_count(objective.options().drop, other.grid()));
    }
  }

  /// The function that objective.kind minimises.
  [[nodiscard]] Objective loss_of(const Config& config) {
    using Part = const soflow::Batch&;
    if (on_policy) {
      return [this](Part part, std::int64_t step, std::int64_t total) {
        return on_policy->loss(part, step, total);
      };
    }
    if (config.objective.kind == ObjectiveKind::kAnyFlow) {
      return [this](Part part, std::int64_t step, std::int64_t total) {
        return anyflow(std::cref(*model), part, step, total, level);
      };
    }
    return [this](Part part, std::int64_t step, std::int64_t total) {
      return objective({std::cref(*model), std::cref(*average)}, part, step, total);
    };
  }

  DataSets data;
  std::vector<Bucket> buckets;
  std::unique_ptr<nn::VideoDiT> model, average;
  soflow::EFlowObjective objective;
  soflow::AnyFlowObjective anyflow;
  std::optional<double> level = {};  ///< of `anyflow`, in a step of several micro-batches
  std::unique_ptr<OnPolicyRun> on_policy;
  Trainer trainer;
};

/// Loads the networks' kernels from the caches, or compiles them, before the first step; reports
/// the numbers and the time.
void prepare_kernels(const Parts& parts, const Say& say) {
  const jit::Runtime& runtime = default_device()->runtime();
  const jit::Stats before = runtime.stats();
  const Stopwatch watch;
  const double ratio = parts.objective.options().drop.share();
  std::vector<nn::Grid3> grids = {parts.model->config().grid()};
  for (const Bucket& bucket : parts.buckets)
    grids.push_back(parts.model->config().for_clips(bucket.source->clip_shape()).grid());
  for (const nn::Grid3& grid : grids) {
    parts.model->prepare(grid, true, ratio);
    parts.average->prepare(grid, false, ratio);
  }
  const jit::Stats now = runtime.stats();
  const std::uint64_t compiled = now.compiled - before.compiled;
  const std::uint64_t found = now.disk_hits + now.pack_hits - before.disk_hits - before.pack_hits;
  if (compiled + found == 0) return;
  char seconds[32];
  std::snprintf(seconds, sizeof seconds, "%.2f s", watch.seconds());
  say(str("kernels: ", compiled, " compiled, ", found, " from the cache, in ", seconds));
}

/// Resumes the trainer from a checkpoint of this run.
void start_from(const io::Checkpoint& checkpoint, const Config& config, const Say& say,
                Parts* parts) {
  check_fits(checkpoint, config, parts->data.info, say);
  try {
    parts->trainer.load_state(load_tensors(checkpoint, ""), checkpoint.step());
  } catch (const InvalidArgument& error) {
    throw CheckpointError(str(checkpoint.path().string(), ": ", error.what()));
  }
}

/// Starts a new run from the averaged weights of another one (train.init_from).
void init_from(const std::filesystem::path& run, Parts* parts) {
  const io::Checkpoint checkpoint = newest_checkpoint(run);
  const nn::NamedTensors weights = load_tensors(checkpoint, "ema.");
  try {
    parts->model->load_state(weights);
    parts->average->load_state(weights);
    if (parts->on_policy) parts->on_policy->begin();
  } catch (const InvalidArgument& error) {
    throw CheckpointError(str("train.init_from: ", checkpoint.path().string(), ": ", error.what()));
  }
}

/// True every `every` steps and at the last one; never if `every` is 0.
bool due(std::int64_t step, std::int64_t every, std::int64_t last) {
  return every > 0 && (step % every == 0 || step == last);
}

/// One call of run_training().
class Run {
 public:
  Run(const Config& config, const std::filesystem::path& out, const TrainingHooks& hooks)
      : config_(config), directory_(out), hooks_(hooks) {}

  TrainingResult go(const std::string& resume) {
    start(resume);
    const std::int64_t last = config_.train.iterations;
    bool stopped = false;
    while (parts_->trainer.steps() < last && !stopped) {
      const StepMetrics metrics = step();
      stopped = hooks_.stop();
      if (stopped || metrics.step == last || due(metrics.step, config_.checkpoint.every, last))
        save();
      hooks_.on_step(metrics);
    }
    return {parts_->trainer.steps(), stopped && parts_->trainer.steps() < last, last_checkpoint_};
  }

 private:
  void start(const std::string& resume) {
    hooks_.say("device " + describe_device());
    parts_ = std::make_unique<Parts>(config_);
    const std::string unused = describe_unused(config_, parts_->data.info.clips);
    if (!unused.empty()) hooks_.say(unused);
    prepare_kernels(*parts_, hooks_.say);
    directory_.open_for_training();
    auto checkpoint = find_checkpoint(resume, directory_, hooks_.say);
    if (checkpoint) {
      start_from(*checkpoint, config_, hooks_.say, parts_.get());
      last_checkpoint_ = checkpoint->path();
    } else if (!config_.train.init_from.empty()) {
      init_from(config_.train.init_from, parts_.get());
    }
    freeze(config_.train.freeze, parts_->model.get());
    set_aside_after(last_step(checkpoint));
    const auto saves = static_cast<std::uint64_t>(config_.checkpoint.keep) + 1;
    require_free_space(directory_.path(), saves * checkpoint_bytes(parts_->trainer));
    open_metrics(checkpoint);
    write_file_atomically(directory_.config(), to_ini(config_));
    write_file_atomically(directory_.data_info(), to_json(parts_->data.info));
    store_.emplace(
        directory_.checkpoints(),
        io::Retention{static_cast<int>(config_.checkpoint.keep), config_.checkpoint.keep_every});
    if (parts_->data.held_out && config_.eval.every > 0) {
      held_out_.emplace(*parts_->data.held_out, config_.eval.clips, config_.objective.t);
    }
    peak_ = measure_device_peak(0.1, config_.train.precision);
  }

  static std::int64_t last_step(const std::optional<io::Checkpoint>& checkpoint) {
    return checkpoint ? checkpoint->step() : 0;
  }

  /// Moves checkpoints after `step` aside, with a copy of their metrics: they belong to an
  /// abandoned attempt, and a later resume must not take them for this run's.
  void set_aside_after(std::int64_t step) {
    const auto folder = io::CheckpointStore(directory_.checkpoints()).set_aside_after(step);
    if (!folder) return;
    if (std::filesystem::exists(directory_.metrics()))
      std::filesystem::copy_file(directory_.metrics(), *folder / "metrics.jsonl");
    hooks_.say(str("moved the checkpoints after step ", step, " to ", folder->string()));
  }

  /// A checkpoint of another run comes without history, so the metrics then begin after it.
  void open_metrics(const std::optional<io::Checkpoint>& checkpoint) {
    const std::int64_t step = last_step(checkpoint);
    if (checkpoint && !std::filesystem::exists(directory_.metrics())) {
      hooks_.say(
          str("no metrics for steps 1 to ", step, ": metrics.jsonl begins with step ", step + 1));
      write_file_atomically(directory_.metrics(), "");
    }
    metrics_.emplace(directory_.metrics(), step);
  }

  StepMetrics step() {
    StepMetrics metrics = train_step();
    fill_costs(&metrics);
    warn_of_noise(metrics);
    const std::int64_t last = config_.train.iterations;
    if (held_out_ && due(metrics.step, config_.eval.every, last))
      metrics.eval_mse =
          held_out_->measure(std::cref(*parts_->average), parts_->objective.options().guidance);
    metrics_->append(metrics);
    if (due(metrics.step, config_.sample.every, last)) preview(metrics.step);
    return metrics;
  }

  /// Fills tokens, kept_tokens and mfu.
  void fill_costs(StepMetrics* metrics) const {
    const nn::DiTConfig model = parts_->model->config().for_clips(parts_->trainer.clip_shape());
    soflow::ObjectiveOptions objective = parts_->objective.options();
    objective.grid = model.grid();
    const std::int64_t batch = config_.train.batch, done = metrics->step - 1;
    metrics->tokens = batch * objective.grid.count();
    metrics->kept_tokens = batch * objective.kept_at(done);
    const double flops = config_.objective.kind == ObjectiveKind::kEFlow
                             ? step_flops(model, objective, done)
                             : forward_flops(model).total() * anyflow_passes(config_, model);
    metrics->mfu = static_cast<double>(batch) * flops / metrics->step_s / peak_;
  }

  /// Warns if rounding errors probably dominate the consistency loss (soflow/objective/drift_alarm.hpp).
  void warn_of_noise(const StepMetrics& metrics) {
    const std::optional<double> mean = alarm_.add(metrics.scm_drift);
    if (!mean) return;
    log_warning("step ", metrics.step, ": over the last ", soflow::DriftAlarm::kWindow,
                " steps, the consistency drift averaged ", *mean,
                " times the target velocity, although it should be far smaller; rounding errors "
                "probably dominate (F_t - F_l) / r; raise objective.r_end");
  }

  StepMetrics train_step() {
    try {
      return parts_->trainer.step();
    } catch (const NumericError& error) {
      const std::string last = last_checkpoint_.empty() ? "none" : last_checkpoint_.string();
      throw NumericError(str(error.what(), "; last good checkpoint: ", last,
                             "; try a lower optim.lr or a longer optim.warmup"));
    }
  }

  /// A preview that cannot be written must not end the run.
  void preview(std::int64_t step) {
    try {
      write_preview(*parts_->average, config_, parts_->data.info, directory_.preview(step));
    } catch (const Error& error) {
      log_warning("could not write the preview of step ", step, ": ", error.what());
    }
  }

  void save() {
    metrics_->sync();  // first: a checkpoint requires the metrics up to its step
    last_checkpoint_ = save_checkpoint(&*store_, parts_->trainer, config_, parts_->data.info);
  }

  const Config& config_;
  RunDirectory directory_;
  const TrainingHooks& hooks_;
  std::unique_ptr<Parts> parts_;
  std::optional<io::CheckpointStore> store_;
  std::optional<MetricsWriter> metrics_;
  std::optional<HeldOutError> held_out_;
  std::filesystem::path last_checkpoint_;
  soflow::DriftAlarm alarm_;
  double peak_ = 1;
};

}  // namespace

void use_threads(std::int64_t threads) {
  if (threads == 0) return;
  jit::Options options = jit::Options::from_environment();
  options.threads = static_cast<int>(threads);
  set_default_device(make_device(options));
}

TrainingResult run_training(const Config& config, const std::filesystem::path& out,
                            const std::string& resume, const TrainingHooks& hooks) {
  const Config complete = resolved(config);
  use_threads(complete.train.threads);
  return Run(complete, out, hooks).go(resume);
}

}  // namespace eflow::trainer
