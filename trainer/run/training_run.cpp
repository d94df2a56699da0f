#include "eflow/trainer/run/training_run.hpp"

#include <algorithm>
#include <cmath>
#include <exception>
#include <limits>
#include <memory>
#include <optional>
#include <utility>

#include "eflow/core/base/log.hpp"
#include "eflow/core/comm/communicator.hpp"
#include "eflow/core/tensor/device.hpp"
#include "eflow/jit/runtime.hpp"
#include "eflow/nn/dit/video_dit.hpp"
#include "eflow/trainer/config/exit_code.hpp"
#include "eflow/trainer/guard/loss_watch.hpp"
#include "eflow/trainer/guard/quarantine.hpp"
#include "eflow/trainer/guard/step_recorder.hpp"
#include "eflow/trainer/ranks/agreement.hpp"
#include "eflow/trainer/ranks/replica_check.hpp"
#include "eflow/trainer/run/evaluation.hpp"
#include "eflow/trainer/run/parts.hpp"
#include "eflow/trainer/run/resume.hpp"
#include "eflow/trainer/run/run_folder.hpp"
#include "eflow/trainer/run/start.hpp"
#include "eflow/trainer/run/step_costs.hpp"
#include "eflow/trainer/saving/run_saves.hpp"
#include "eflow/trainer/step/freeze.hpp"
#include "eflow/trainer/step/side_output.hpp"

namespace eflow::trainer {
namespace {

/// Steps without an update of which replay bundles are written, each as large as a checkpoint; one
/// more is written if such a step ends the run.
constexpr std::int64_t kRecordedSkips = 3;

/// Whether all weights and moments of these parts are finite.
bool is_finite(const StateParts& state) {
  return std::all_of(state.begin(), state.end(), [](const StatePart& part) {
    const auto finite = [](const auto& values) {
      return std::all_of(values.begin(), values.end(), [](auto v) { return std::isfinite(v); });
    };
    const Tensor& tensor = part.values;
    if (!tensor.defined()) return true;
    return tensor.dtype() == DType::kF64 ? finite(tensor.to_vector<double>())
                                         : finite(tensor.to_vector<float>());
  });
}

/// One call of run_training(). "All ranks": they call it together. Everything else is this rank's, or
/// rank 0's, which alone has a RunFolder.
class Run {
 public:
  Run(const Config& config, const std::filesystem::path& out, const TrainingHooks& hooks,
      comm::Communicator* ranks)
      : config_(config),
        hooks_(hooks),
        ranks_(*ranks),
        directory_(out),
        saves_(ranks, config.checkpoint.every) {}

  TrainingResult go(const std::string& resume) {
    try {
      require_agreement(facts_of(config_), &ranks_);
      grid_.emplace(&ranks_, config_.train.sequence);
      if (!prepare()) return {0, true, {}};
      start(resume);
      return train();
    } catch (const std::exception& error) {
      // Of several ranks, the others may be in another place, so they cannot save together.
      if (started_ && !diverged_ && ranks_.size() == 1) rescue();
      ranks_.leave(error.what());
      saves_.finish_alone();
      throw;
    }
  }

 private:
  /// All ranks. Builds networks and kernels. Returns false if a stop was requested meanwhile.
  bool prepare() {
    say("device " + describe_device() + describe_ranks(config_, ranks_));
    std::optional<CompilesStop> stop;
    if (!hooks_.ranks_share_process) stop.emplace(hooks_.stop);
    parts_ = build_parts(config_, *grid_, say_);
    return !ranks_.any(hooks_.stop(), {"whether to stop"});
  }

  /// All ranks. Loads the state that the run starts from, and opens what the steps write to.
  void start(const std::string& resume) {
    if (is_first()) directory_.open_for_training();
    const auto checkpoint = find_checkpoint_together(resume, directory_, say_, &ranks_);
    if (checkpoint) {
      history_ = start_from(*checkpoint, config_, say_, parts_.get());
      saves_.start_from(*checkpoint);
      recorded_ = checkpoint->step();
    } else if (!config_.train.init_from.empty()) {
      init_from(config_.train, say_, parts_.get(), &history_);
    }
    if (parts_->on_policy) {
      check_teacher(history_.teacher, parts_->on_policy->teacher());
      history_.teacher = parts_->on_policy->teacher();
    }
    freeze(config_.train.freeze, parts_->model.get());
    if (parts_->damage) load_quarantine();
    if (is_first()) open_folder(checkpoint);
    evaluation_.emplace(config_, *parts_, *grid_);
    recorder_.emplace(&parts_->trainer, parts_->sources(), &ranks_);
    costs_.emplace(config_, *parts_, ranks_.size());
    started_ = true;
  }

  /// All ranks.
  void load_quarantine() {
    const std::filesystem::path path = directory_.quarantine();
    quarantine_.emplace(parts_->damage, parts_->guards, config_.data.on_error, &ranks_);
    const std::string lines = is_first() && path_exists(path) ? read_file(path) : "";
    const std::string known = quarantine_->load(lines, path, recorded_);
    if (!known.empty()) say(known);
  }

  void open_folder(const std::optional<io::Checkpoint>& checkpoint) {
    const std::string pending = std::exchange(history_.pending_metrics, "");
    folder_.emplace(config_, parts_->data.info, &directory_, checkpoint,
                    checkpoint_bytes(parts_->trainer), pending, say_,
                    [this] { saves_.retry_after(parts_->trainer.steps()); });
    losses_.emplace(*parts_->data.training, config_.train.on_divergence == OnDivergence::kStop);
    if (recorded_ > 0) losses_->catch_up(folder_->metrics_text());
  }

  /// All ranks. The steps, and the saves between them.
  TrainingResult train() {
    const Trainer& trainer = parts_->trainer;
    const std::int64_t last = config_.train.iterations;
    bool stopped = false;
    while (trainer.steps() < last && !stopped) {
      saves_.note_ended(trainer.steps());
      const StepMetrics metrics = step();
      const bool retry = exchange_wishes(metrics.step, &stopped);
      const bool end = stopped || metrics.step == last;
      if (end || retry || is_due(metrics.step, config_.checkpoint.every, last)) save(end);
      if (is_first())
        progress_.attempt("could not show the progress", [&] { hooks_.on_step(metrics); });
    }
    ranks_.barrier({"end of the run", trainer.steps()});
    return {trainer.steps(), stopped && trainer.steps() < last, saves_.last_checkpoint()};
  }

  /// All ranks. A step of the trainer, and everything that follows but a save.
  StepMetrics step() {
    StepMetrics metrics = train_step();
    const std::int64_t step = metrics.step;
    if (quarantine_) {
      quarantine_->note(parts_->trainer.clips_of(step - 1), directory_.quarantine(), &metrics);
    }
    const std::int64_t every = config_.train.compare_every;
    if (every > 0 && step % every == 0)
      require_same_bits(parts_->trainer.shared_weights(), &ranks_, step);
    evaluation_->measure(&metrics);
    recorded_ = step;
    if (folder_) {
      costs_->fill(&metrics);
      losses_->warn_of_noise(metrics);
      folder_->append(metrics);
    }
    evaluation_->preview(step, directory_);
    require_convergence(metrics);
    if (quarantine_) quarantine_->require_few(metrics, directory_.quarantine());
    return metrics;
  }

  /// All ranks, which get the same numbers and therefore the same NumericError.
  StepMetrics train_step() {
    const Trainer& trainer = parts_->trainer;
    const std::int64_t step = trainer.steps() + 1, skipped = trainer.skipped();
    try {
      const StepMetrics metrics = parts_->trainer.step();
      if (trainer.skipped() > skipped) report_skipped(metrics);
      return metrics;
    } catch (const NumericError& error) {
      rescue();
      if (!trainer.outcome().is_finite()) record_step(step, skipped);
      throw NumericError(str(error.what(), "; last good checkpoint: ", saves_.last_name(),
                             "; try a lower optim.lr or a longer optim.warmup, from an earlier "
                             "checkpoint if need be (--resume CHECKPOINT)"));
    }
  }

  /// All ranks. Warns of a step without an update, and records the first ones of a run.
  void report_skipped(const StepMetrics& metrics) {
    if (is_first()) {
      log_warning("[train] step ", metrics.step, ": loss ", metrics.loss, ", gradient norm ",
                  metrics.grad_norm, ": not finite, so the update is skipped, ", metrics.skipped,
                  " of ", config_.train.skip_nonfinite, " (train.skip_nonfinite)");
    }
    if (metrics.skipped <= kRecordedSkips) record_step(metrics.step, metrics.skipped - 1);
  }

  /// All ranks. Writes a replay bundle of a step that has changed nothing, and before which `skipped`
  /// steps of the run had made no update.
  void record_step(std::int64_t step, std::int64_t skipped) {
    const std::filesystem::path bundle = directory_.replay(step);
    recorder_->record(step, bundle, [&]() -> SaveRequest {
      RunHistory history = history_;
      history.skipped = skipped;
      return {.store = io::CheckpointStore(bundle),
              .metadata = metadata_of(config_, parts_->data.info, history),
              .extras = extra_arrays(parts_->data.info)};
    });
  }

  /// All ranks. Throws if the run diverges and shall then stop.
  void require_convergence(const StepMetrics& metrics) {
    std::optional<std::string> divergence;
    if (losses_) divergence = losses_->judge(metrics);
    if (config_.train.on_divergence != OnDivergence::kStop) return;
    diverged_ = ranks_.any(divergence.has_value(), {"whether the run diverges", metrics.step});
    if (!diverged_) return;
    saves_.finish(metrics.step);  // of an earlier step, which the message of rank 0 names
    throw NumericError(str("[train] ", divergence.value_or(str("step ", metrics.step)),
                           "; the run diverges and ends (train.on_divergence), without saving; "
                           "last checkpoint: ",
                           saves_.last_name(),
                           "; try a lower optim.lr from there or from an "
                           "earlier one (--resume CHECKPOINT)"));
  }

  /// All ranks. Sets `stopped` if a stop was requested on any rank, and returns whether rank 0 tries
  /// again to save. Publishes the checkpoints of which every rank has written its part.
  bool exchange_wishes(std::int64_t step, bool* stopped) {
    const bool stop = hooks_.stop(), retry = saves_.is_due(step);
    const std::string mine = {stop ? 's' : '-', retry ? 'r' : '-'};
    std::vector<std::string> all =
        ranks_.gather(mine + saves_.take_reports(), {"whether to stop or save", step});
    *stopped = std::any_of(all.begin(), all.end(), [](const auto& one) { return one[0] == 's'; });
    const bool first_retries = all[0][1] == 'r';
    for (std::string& one : all) one.erase(0, mine.size());
    if (is_first()) saves_.publish(all);
    return first_retries;
  }

  /// All ranks. Saves: at the end of the run, or without checkpoint.async, until the checkpoint is
  /// durable; else in the background.
  void save(bool end) {
    const std::int64_t step = parts_->trainer.steps();
    const StateParts state = parts_->trainer.state_parts();
    const auto describe = [&] {
      folder_->keep();
      return folder_->request(folder_->retention(saves_.begun()), history_now());
    };
    if (end) {
      saves_.save_at_end(step, state, describe);
    } else {
      saves_.save(step, state, !config_.checkpoint.async, describe);
    }
  }

  /// All ranks. Saves the state that a failure leaves behind, if it is that of a finished step and
  /// has not been saved. Removes no other checkpoint, because this one may lead to the same failure
  /// again.
  void rescue() {
    const Trainer& trainer = parts_->trainer;
    const std::int64_t step = trainer.steps();
    saves_.finish(step);
    const bool unsaved = step > saves_.last_step() && step == recorded_ && trainer.is_whole();
    if (!ranks_.any(is_first() && unsaved, {"whether to save", step})) return;
    const StateParts state = trainer.state_parts();
    if (ranks_.any(!is_finite(state), {"whether weights are not finite", step})) {
      if (is_first())
        log_warning("[run] the weights of step ", step, " are not finite and are not saved");
      return;
    }
    saves_.save_before_error(step, state, [&] {
      return folder_->request({.keep_last = std::numeric_limits<int>::max()}, history_now());
    });
    if (saves_.last_step() != step) return;
    log_warning("[run] saved step ", step, " in ", saves_.last_checkpoint().string(),
                " before the run ends with an error");
  }

  [[nodiscard]] RunHistory history_now() const {
    RunHistory history = history_;
    history.skipped = parts_->trainer.skipped();
    return history;
  }

  [[nodiscard]] bool is_first() const { return ranks_.is_first(); }

  void say(const std::string& line) {
    messages_.attempt("could not show a message", [&] { hooks_.say(line); });
  }

  // What the run was given.
  const Config& config_;
  const TrainingHooks& hooks_;
  comm::Communicator& ranks_;
  const Say say_ = [this](const std::string& line) { say(line); };
  SideOutput messages_, progress_;
  // What it works with.
  std::optional<RankGrid> grid_;
  std::unique_ptr<Parts> parts_;
  RunHistory history_;
  RunDirectory directory_;
  std::optional<RunFolder> folder_;  ///< of rank 0
  // What follows a step.
  std::optional<Quarantine> quarantine_;  ///< with data.on_error other than "error"
  std::optional<Evaluation> evaluation_;
  std::optional<StepRecorder> recorder_;
  std::optional<StepCosts> costs_;
  std::optional<LossWatch> losses_;  ///< of rank 0
  // How far it is.
  bool started_ = false;
  bool diverged_ = false;
  std::int64_t recorded_ = 0;  ///< last step whose metrics were appended
  RunSaves saves_;             ///< last: waits for its saves before what they read is destroyed
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
  comm::Communicator alone;
  comm::Communicator* ranks = hooks.ranks != nullptr ? hooks.ranks : &alone;
  Config complete = resolved(config);
  if (complete.train.shards == 0) {
    complete.train.shards = std::max<std::int64_t>(1, ranks->size() / complete.train.sequence);
  }
  if (!hooks.ranks_share_process) use_threads(complete.train.threads);
  return Run(complete, out, hooks, ranks).go(resume);
}

}  // namespace eflow::trainer
