#include "eflow/trainer/run/training_run.hpp"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <exception>
#include <functional>
#include <limits>
#include <set>
#include <thread>
#include <utility>

#include "eflow/core/base/log.hpp"
#include "eflow/core/comm/communicator.hpp"
#include "eflow/core/comm/tree_reduce.hpp"
#include "eflow/core/tensor/device.hpp"
#include "eflow/jit/runtime.hpp"
#include "eflow/nn/attention/sequence_part.hpp"
#include "eflow/nn/dit/video_dit.hpp"
#include "eflow/soflow/objective/drift_alarm.hpp"
#include "eflow/trainer/config/exit_code.hpp"
#include "eflow/trainer/config/model_config.hpp"
#include "eflow/trainer/cost/device_peak.hpp"
#include "eflow/trainer/cost/model_flops.hpp"
#include "eflow/trainer/data/data_sets.hpp"
#include "eflow/trainer/guard/best_steps.hpp"
#include "eflow/trainer/guard/loss_sentinel.hpp"
#include "eflow/trainer/guard/recorded_step.hpp"
#include "eflow/trainer/ranks/agreement.hpp"
#include "eflow/trainer/ranks/device_messages.hpp"
#include "eflow/trainer/ranks/divided_work.hpp"
#include "eflow/trainer/ranks/replica_check.hpp"
#include "eflow/trainer/run/generator.hpp"
#include "eflow/trainer/run/objective_config.hpp"
#include "eflow/trainer/run/parts.hpp"
#include "eflow/trainer/run/preview.hpp"
#include "eflow/trainer/run/resume.hpp"
#include "eflow/trainer/run/start.hpp"
#include "eflow/trainer/run/unused_options.hpp"
#include "eflow/trainer/saving/background_saver.hpp"
#include "eflow/trainer/saving/tensor_bytes.hpp"
#include "eflow/trainer/step/freeze.hpp"
#include "eflow/trainer/step/held_out.hpp"
#include "eflow/trainer/step/side_output.hpp"

namespace eflow::trainer {
namespace {

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

/// True every `every` steps and at the last one; never if `every` is 0.
bool due(std::int64_t step, std::int64_t every, std::int64_t last) {
  return every > 0 && (step % every == 0 || step == last);
}

std::string text_of(const std::exception_ptr& error) {
  try {
    std::rethrow_exception(error);
  } catch (const std::exception& known) {
    return known.what();
  } catch (...) {
    return "an unknown error";
  }
}

/// A save that fails is tried again; the run ends when this many have failed in a row.
constexpr int kSaveAttempts = 3;

/// Steps without an update of which replay bundles are written, each as large as a checkpoint; one
/// more is written if such a step ends the run.
constexpr std::int64_t kRecordedSkips = 3;

constexpr std::uint64_t kMaxMetrics = 1ull << 36;  // bytes of metrics.jsonl

/// E|x1 - x0|^2 = 1 + E x0^2 over some clips: the flow-matching error of a network that predicts no
/// velocity.
double error_without_velocity(const io::ClipSource& source) {
  constexpr std::int64_t kClips = 16;
  constexpr std::uint64_t kSeed = 20260328;
  const std::vector<float> values = choose_clips(source, kClips, kSeed).values;
  double squares = 0;
  for (const float value : values) squares += double{value} * double{value};
  return 1 + squares / static_cast<double>(values.size());
}

/// One call of run_training(). Members that write are rank 0's; those that all ranks must call
/// together say so.
class Run {
 public:
  Run(const Config& config, const std::filesystem::path& out, const TrainingHooks& hooks,
      comm::Communicator* ranks)
      : config_(config),
        directory_(out),
        hooks_(hooks),
        ranks_(*ranks),
        writes_(ranks->is_first()),
        saver_(ranks) {}

  TrainingResult go(const std::string& resume) {
    try {
      require_agreement(facts_of(config_), &ranks_);
      grid_.emplace(&ranks_, config_.train.sequence);
      if (!prepare()) return {0, true, {}};
      start(resume);
      return train();
    } catch (const std::exception& error) {
      // Of several ranks, the others may be in another place, so they cannot save together.
      if (parts_ && started_ && !diverged_ && ranks_.size() == 1) rescue();
      ranks_.leave(error.what());
      saver_.wait();
      note_ended_saves();
      throw;
    }
  }

 private:
  /// All ranks.
  TrainingResult train() {
    const std::int64_t last = config_.train.iterations;
    bool stopped = false;
    while (parts_->trainer.steps() < last && !stopped) {
      note_saves("");
      const StepMetrics metrics = step();
      const bool retry = metrics.step == next_attempt_;
      const bool save = agree(hooks_.stop(), retry, metrics.step, &stopped);
      const bool end = stopped || metrics.step == last;
      if (end || save || due(metrics.step, config_.checkpoint.every, last)) save_state(end);
      if (writes_)
        progress_.attempt("could not show the progress", [&] { hooks_.on_step(metrics); });
    }
    ranks_.barrier({"end of the run", parts_->trainer.steps()});
    return {parts_->trainer.steps(), stopped && parts_->trainer.steps() < last, last_checkpoint_};
  }

  /// All ranks. Sets `stopped` if a stop was requested on any rank, and returns whether rank 0 tries
  /// again to save. Publishes the checkpoints of which every rank has written its part.
  bool agree(bool stop, bool retry, std::int64_t step, bool* stopped) {
    const std::string mine = {stop ? 's' : '-', retry ? 'r' : '-'};
    std::vector<std::string> all =
        ranks_.gather(mine + saver_.take_reports(), {"whether to stop or save", step});
    *stopped = std::any_of(all.begin(), all.end(), [](const auto& one) { return one[0] == 's'; });
    retry = all[0][1] == 'r';
    for (std::string& one : all) one.erase(0, mine.size());
    if (writes_) saver_.publish(all);
    return retry;
  }

  void say(const std::string& line) {
    messages_.attempt("could not show a message", [&] { hooks_.say(line); });
  }

  /// Has the ranks of a lane divide the clips. Fails now rather than at the first step.
  void divide_clips() {
    const auto sequence = static_cast<int>(config_.train.sequence);
    static_cast<void>(nn::frames_of_ranks(parts_->model->config().grid().t, sequence));
    parts_->model->divide_clips(grid_->lane_ranks());
    parts_->average->divide_clips(grid_->lane_ranks());
  }

  /// All ranks. Builds networks and kernels. Returns false if a stop was requested meanwhile.
  bool prepare() {
    say("device " + describe_device() +
        (ranks_.size() > 1
             ? str(", ", ranks_.name_of(ranks_.rank()), " of ", ranks_.size(), ", ",
                   config_.train.shards, " shards",
                   config_.train.sequence > 1 ? str(", ", config_.train.sequence, " ranks per clip")
                                              : std::string())
             : std::string()));
    std::optional<CompilesStop> stop;
    if (!hooks_.ranks_share_process) stop.emplace(hooks_.stop);
    parts_ = std::make_unique<Parts>(config_, open_clips(config_), &ranks_);
    divide_clips();
    if (const std::string line = connect_devices(&ranks_, default_device()); !line.empty())
      say(line);
    if (ranks_.size() > 1) {  // the facts include a hash of the whole program
      Facts facts = facts_of_build();
      facts.emplace_back("data set", parts_->data.info.fingerprint);
      require_agreement(facts, &ranks_);
    }
    for (const std::string& warning : parts_->data.warnings) log_warning("[data] ", warning);
    const std::string unused = describe_unused(config_, parts_->data.info.clips);
    if (!unused.empty()) say(unused);
    prepare_kernels(*parts_, [this](const std::string& line) { say(line); });
    return !ranks_.any(hooks_.stop(), {"whether to stop"});
  }

  /// All ranks. The checkpoint that rank 0 finds.
  std::optional<io::Checkpoint> agree_on_checkpoint(const std::string& resume, const Say& tell) {
    std::optional<io::Checkpoint> checkpoint;
    if (writes_) {
      directory_.open_for_training();
      checkpoint = find_checkpoint(resume, directory_, tell);
    }
    const std::string path =
        ranks_.broadcast(checkpoint ? std::filesystem::absolute(checkpoint->path()).string() : "",
                         0, {"checkpoint to resume from"});
    if (!writes_ && !path.empty()) checkpoint = open_checkpoint(path);
    return checkpoint;
  }

  /// All ranks.
  void start(const std::string& resume) {
    const Say tell = [this](const std::string& line) { say(line); };
    auto checkpoint = agree_on_checkpoint(resume, tell);
    if (checkpoint) {
      history_ = start_from(*checkpoint, config_, tell, parts_.get());
      last_checkpoint_ = checkpoint->path();
    } else if (!config_.train.init_from.empty()) {
      init_from(config_.train, tell, parts_.get(), &history_);
    }
    if (parts_->on_policy) {
      check_teacher(history_.teacher, parts_->on_policy->teacher());
      history_.teacher = parts_->on_policy->teacher();
    }
    freeze(config_.train.freeze, parts_->model.get());
    recorded_ = saved_ = last_step(checkpoint);
    if (parts_->damage) load_damage(last_step(checkpoint));
    if (writes_) {
      set_aside_after(last_step(checkpoint));
      require_space();
      open_metrics(checkpoint);
      open_folder();
    }
    if (parts_->data.held_out && config_.eval.every > 0) {
      held_out_.emplace(*parts_->data.held_out, config_.eval.clips, config_.objective.t,
                        grid_->lane(), grid_->lanes());
    }
    if (config_.sample.every > 0) {
      const DataSets& data = parts_->data;
      preview_contexts_ =
          choose_contexts(data.held_out ? *data.held_out : *data.training, config_.sample.count);
    }
    peak_ = ranks_.size() * measure_device_peak(0.1, config_.train.precision);
    started_ = true;
  }

  /// Writes the descriptions into the run's folder and directs checkpoints there.
  void open_folder() {
    write_file_atomically(directory_.config(), to_ini(config_));
    write_file_atomically(directory_.data_info(), to_json(parts_->data.info));
    store_.emplace(directory_.checkpoints(), retention());
  }

  /// The checkpoints to keep once that of the present step is saved. Those that are being saved count.
  [[nodiscard]] io::Retention retention() const {
    const CheckpointConfig& c = config_.checkpoint;
    io::Retention kept{static_cast<int>(c.keep), c.keep_every, {}};
    if (c.keep_best == 0) return kept;
    std::set<std::int64_t> steps = saves_;
    for (const std::int64_t step : io::CheckpointStore(directory_.checkpoints()).list())
      steps.insert(step);
    kept.keep = best_.best({steps.begin(), steps.end()}, c.keep_best);
    return kept;
  }

  /// Checks that the checkpoints which the folder will hold fit, less those that it holds now and
  /// that saves will replace. One more exists while a save is in progress.
  void require_space() const {
    const std::uint64_t each = checkpoint_bytes(parts_->trainer);
    const std::uint64_t most =
        static_cast<std::uint64_t>(config_.checkpoint.keep + config_.checkpoint.keep_best) + 1;
    const io::CheckpointStore store(
        directory_.checkpoints(),
        io::Retention{
            static_cast<int>(config_.checkpoint.keep), config_.checkpoint.keep_every, {}});
    const std::uint64_t replaced = std::min<std::uint64_t>(store.replaceable(), most - 1);
    require_free_space(directory_.path(), (most - replaced) * each);
  }

  static std::int64_t last_step(const std::optional<io::Checkpoint>& checkpoint) {
    return checkpoint ? checkpoint->step() : 0;
  }

  /// Moves checkpoints after `step` aside, with a copy of their metrics: they belong to an
  /// abandoned attempt, and a later resume must not take them for this run's.
  void set_aside_after(std::int64_t step) {
    const auto folder = io::CheckpointStore(directory_.checkpoints()).set_aside_after(step);
    if (!folder) return;
    if (path_exists(directory_.metrics()))
      std::filesystem::copy_file(directory_.metrics(), *folder / "metrics.jsonl");
    say(str("moved the checkpoints after step ", step, " to ", folder->string()));
  }

  /// A checkpoint of another run comes without history, so the metrics then begin after it. Lines
  /// that could not be written before the checkpoint was saved are in the checkpoint.
  void open_metrics(const std::optional<io::Checkpoint>& checkpoint) {
    const std::int64_t step = last_step(checkpoint);
    const std::string pending = std::exchange(history_.pending_metrics, "");
    if (checkpoint && !path_exists(directory_.metrics())) {
      say(str("no metrics for steps 1 to ", step, ": metrics.jsonl begins with step ", step + 1));
      write_file_atomically(directory_.metrics(), "");
    }
    const auto lines = std::count(pending.begin(), pending.end(), '\n');
    metrics_.emplace(directory_.metrics(), step - lines);
    metrics_->append_lines(pending);
    sentinel_ = LossSentinel(error_without_velocity(*parts_->data.training));
    if (step == 0) return;
    const std::string before = read_file(directory_.metrics(), kMaxMetrics);
    sentinel_.catch_up(before);
    best_.catch_up(before);
  }

  /// All ranks.
  StepMetrics step() {
    StepMetrics metrics = train_step();
    if (parts_->damage) note_damage(&metrics);
    const std::int64_t every = config_.train.compare_every;
    if (every > 0 && metrics.step % every == 0)
      require_same_bits(parts_->trainer.shared_weights(), &ranks_, metrics.step);
    const std::int64_t last = config_.train.iterations;
    const bool measures = held_out_ && due(metrics.step, config_.eval.every, last);
    const bool shows = due(metrics.step, config_.sample.every, last);
    if (measures || shows) parts_->trainer.gather_average();
    if (measures) measure_held_out(&metrics);
    recorded_ = metrics.step;
    if (writes_) record(&metrics);
    if (shows) preview(metrics.step);
    watch(metrics);
    if (parts_->damage) require_few_damaged(metrics);
    return metrics;
  }

  /// All ranks. The list of quarantine.jsonl, as it was at `step`.
  void load_damage(std::int64_t step) {
    const std::filesystem::path path = directory_.quarantine();
    const bool known = writes_ && path_exists(path);
    const std::string lines =
        ranks_.broadcast(known ? read_file(path) : "", 0, {"damaged clips", step});
    parts_->damage->merge(lines, path.string(), step);
    if (parts_->damage->met() > 0)
      say(str(parts_->damage->met(), " damaged clips are replaced, as ", path.string(),
              " says; once the data set is repaired, remove that file"));
  }

  /// All ranks. Notes which clips of the step were damaged, on any rank.
  void note_damage(StepMetrics* metrics) {
    DamageList& damage = *parts_->damage;
    for (const std::string& lines :
         ranks_.gather(damage.take_new(), {"damaged clips", metrics->step}))
      damage.merge(lines, "another rank's list");
    for (const StepClip& clip : parts_->trainer.clips_of(metrics->step - 1)) {
      const GuardedSource& guard = *parts_->guards[clip.source];
      if (!guard.is_damaged(clip.index)) continue;
      ++metrics->replaced;
      list_is_old_ |= guard.meet(clip.index, metrics->step);
    }
    metrics->damaged = damage.met();
    if (!list_is_old_ || !writes_) return;
    lists_.attempt("could not write quarantine.jsonl",
                   [&] { write_file_atomically(directory_.quarantine(), damage.met_lines()); });
  }

  /// All ranks, which know the same damaged clips.
  void require_few_damaged(const StepMetrics& metrics) const {
    if (metrics.damaged <= parse_on_error(config_.data.on_error).most) return;
    throw CorruptData(str("[train] step ", metrics.step, ": ", metrics.damaged,
                          " damaged clips so far, listed in ", directory_.quarantine().string(),
                          "; data.on_error = ", config_.data.on_error,
                          " ends the run: repair the data set by packing it again and remove the "
                          "list, or allow more"));
  }

  /// All ranks. Reports losses that stand out. Throws if the run diverges and shall then stop.
  void watch(const StepMetrics& metrics) {
    std::optional<LossAlarm> alarm;
    if (writes_) alarm = sentinel_.add(metrics);
    const bool stops = config_.train.on_divergence == OnDivergence::kStop;
    if (alarm && !(stops && alarm->diverged)) {
      log_warning("[train] ", alarm->text,
                  alarm->diverged ? "; the run diverges: lower optim.lr, or go back to an earlier "
                                    "checkpoint (--resume CHECKPOINT)"
                                  : "");
    }
    if (!stops) return;
    diverged_ = ranks_.any(alarm && alarm->diverged, {"whether the run diverges", metrics.step});
    if (!diverged_) return;
    end_saves();  // of an earlier step, which the message of rank 0 names
    throw NumericError(str("[train] ", alarm ? alarm->text : str("step ", metrics.step),
                           "; the run diverges and ends (train.on_divergence), without saving; "
                           "last checkpoint: ",
                           last_checkpoint_name(),
                           "; try a lower optim.lr from there or from an "
                           "earlier one (--resume CHECKPOINT)"));
  }

  /// All ranks, each for its clips.
  void measure_held_out(StepMetrics* metrics) {
    const auto errors = divide_work<double>(*grid_, {"held-out error", metrics->step}, [&] {
      return held_out_->errors(std::cref(*parts_->average), parts_->objective.options().guidance);
    });
    errors_.attempt(str("could not measure the held-out error of step ", metrics->step),
                    [&] { metrics->eval_mse = HeldOutError::mean(errors.values()); });
    if (metrics->eval_mse) best_.note(metrics->step, *metrics->eval_mse);
  }

  /// Completes and writes the metrics of a step.
  void record(StepMetrics* of_step) {
    StepMetrics& metrics = *of_step;
    fill_costs(&metrics);
    warn_of_noise(metrics);
    folder_.attempt(str("could not restore ", directory_.path().string()), [&] { keep_folder(); });
    lines_.attempt("could not write metrics.jsonl (lines are kept in memory)",
                   [&] { metrics_->append(metrics); });
  }

  /// Someone may move or remove the run's folder, or metrics.jsonl, while the run goes on.
  void keep_folder() {
    const auto place = directory_.place();
    if (place == RunDirectory::Place::kMoved) {
      const std::string before = directory_.path().string();
      directory_.follow();
      log_warning("[run] ", before, " was moved; the run goes on in ", directory_.path().string());
      open_folder();
    } else if (place == RunDirectory::Place::kGone) {
      directory_.open_for_training();
      open_folder();
      log_warning("[run] ", directory_.path().string(),
                  " was removed, with its checkpoints; the run goes on in a new folder there");
      next_attempt_ = parts_->trainer.steps();  // nothing is saved any more
    }
    if (place != RunDirectory::Place::kHere || !metrics_->is_at(directory_.metrics()))
      metrics_->move_to(directory_.metrics());
  }

  /// Fills tokens, kept_tokens and mfu.
  void fill_costs(StepMetrics* metrics) const {
    const std::int64_t done = metrics->step - 1;
    metrics->tokens = metrics->kept_tokens = 0;
    double flops = 0;
    for (const auto& [shape, count] : parts_->trainer.last_clips()) {
      const nn::DiTConfig model = parts_->model->config().for_clips(shape);
      soflow::ObjectiveOptions objective = parts_->objective.options();
      objective.grid = model.grid();
      metrics->tokens += count * objective.grid.count();
      metrics->kept_tokens += count * objective.kept_at(done);
      const std::int64_t text = parts_->data.info.text.length;
      flops += static_cast<double>(count) *
               (config_.objective.kind == ObjectiveKind::kEFlow
                    ? step_flops(model, objective, done, text)
                    : forward_flops(model, -1, text).total() * anyflow_passes(config_, model));
    }
    metrics->mfu = flops / metrics->step_s / peak_;
  }

  /// Warns if rounding errors probably dominate the consistency loss
  /// (soflow/objective/drift_alarm.hpp).
  void warn_of_noise(const StepMetrics& metrics) {
    const std::optional<double> mean = alarm_.add(metrics.scm_drift);
    if (!mean) return;
    log_warning("step ", metrics.step, ": over the last ", soflow::DriftAlarm::kWindow,
                " steps, the consistency drift averaged ", *mean,
                " times the target velocity, although it should be far smaller; rounding errors "
                "probably dominate (F_t - F_l) / r; raise objective.r_end");
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
      throw NumericError(str(error.what(), "; last good checkpoint: ", last_checkpoint_name(),
                             "; try a lower optim.lr or a longer optim.warmup, from an earlier "
                             "checkpoint if need be (--resume CHECKPOINT)"));
    }
  }

  [[nodiscard]] std::string last_checkpoint_name() const {
    return last_checkpoint_.empty() ? "none" : last_checkpoint_.string();
  }

  /// All ranks. Warns of a step without an update, and records the first ones of a run.
  void report_skipped(const StepMetrics& metrics) {
    if (writes_) {
      log_warning("[train] step ", metrics.step, ": loss ", metrics.loss, ", gradient norm ",
                  metrics.grad_norm, ": not finite, so the update is skipped, ", metrics.skipped,
                  " of ", config_.train.skip_nonfinite, " (train.skip_nonfinite)");
    }
    if (metrics.skipped <= kRecordedSkips) record_step(metrics.step, metrics.skipped - 1);
  }

  /// All ranks. Writes a replay bundle of a step that has changed nothing, and before which `skipped`
  /// steps of the run had made no update: the state, the clips, the outcome.
  void record_step(std::int64_t step, std::int64_t skipped) {
    BackgroundSaver saver(&ranks_);
    std::exception_ptr problem =
        start_save(step - 1, parts_->trainer.state_parts(), &saver, [&]() -> SaveRequest {
          RunHistory history = history_;
          history.skipped = skipped;
          return {.store = io::CheckpointStore(directory_.replay(step)),
                  .metadata = metadata_of(config_, parts_->data.info, history),
                  .extras = extra_arrays(parts_->data.info)};
        });
    saver.finish(step);
    if (!writes_) return;
    records_.attempt(str("could not record step ", step, " for eflow replay"), [&] {
      for (const io::SaveOutcome& outcome : saver.take_outcomes())
        problem = outcome.error ? outcome.error : problem;
      if (problem) std::rethrow_exception(problem);
      const std::filesystem::path bundle = directory_.replay(step);
      RecordedStep record{.step = step, .outcome = parts_->trainer.outcome(), .sources = {}};
      const std::vector<StepClip> clips = parts_->trainer.clips_of(step - 1);
      const std::vector<const io::ClipSource*> sources = parts_->sources();
      for (std::size_t j = 0; j < sources.size(); ++j)
        record.sources.emplace_back(*sources[j], clips, j);
      write_recorded_step(bundle / kRecordedStepName, record);
      log_warning("[train] recorded step ", step, "; to repeat it: eflow replay ", bundle.string());
    });
  }

  /// All ranks: each samples its part of the clips, and rank 0 writes the pictures.
  void preview(std::int64_t step) {
    const comm::ShardRange own =
        comm::slice_of(grid_->lane(), grid_->lanes(), config_.sample.count);
    const auto values = divide_work<float>(*grid_, {"preview", step}, [&] {
      return preview_clips(*parts_->average, config_, parts_->data.info, preview_contexts_,
                           own.first, own.count())
          .values;
    });
    if (!writes_) return;
    previews_.attempt(str("could not write the preview of step ", step), [&] {
      const nn::DiTConfig& model = parts_->model->config();
      GeneratedClips clips{.values = values.values()};
      clips.shape = {config_.sample.count, model.channels, model.frames, model.height, model.width};
      make_directories(directory_.samples());
      const std::string stem = directory_.preview(step).string();
      write_pictures(clips, parts_->data.info.fps, stem + ".png", stem + ".webp",
                     parts_->data.info.rgb);
    });
  }

  /// All ranks. Starts to save in the background. Returns why that failed, on the ranks that know.
  [[nodiscard]] static std::exception_ptr start_save(std::int64_t step, const StateParts& state,
                                                     BackgroundSaver* saver,
                                                     const std::function<SaveRequest()>& describe) {
    try {
      saver->save(step, state, describe);
    } catch (const comm::PeerError&) {
      throw;
    } catch (const std::exception&) {
      return std::current_exception();
    }
    return nullptr;
  }

  /// What a save of the state of the last step needs besides the state.
  [[nodiscard]] SaveRequest describe_save(const io::CheckpointStore& store) {
    // First: a checkpoint requires the metrics up to its step, or the lines themselves.
    auto lines = std::make_shared<FileDescriptor>();
    lines_.attempt("could not write metrics.jsonl (lines are kept in memory)",
                   [&] { *lines = metrics_->flush(); });
    history_.pending_metrics = metrics_->pending();
    history_.skipped = parts_->trainer.skipped();
    return {.store = store,
            .metadata = metadata_of(config_, parts_->data.info, history_),
            .extras = extra_arrays(parts_->data.info),
            .before = [this, lines, run = directory_.path(), id = id_of_folder(directory_.path())] {
              if (lines->valid()) sync_lines(*lines, run);
              if (id_of_folder(run) != id)
                throw IoError(str("[run] ", run.string(), " was moved or removed"));
            }};
  }

  /// On the saving thread.
  void sync_lines(const FileDescriptor& lines, const std::filesystem::path& run) {
    syncs_.attempt("could not make metrics.jsonl durable",
                   [&] { sync_file(lines, RunDirectory(run).metrics()); });
  }

  /// Notes how the saves that have ended came out. After a failure, a run that goes on tries again
  /// some steps later; the last of kSaveAttempts failures in a row is thrown. `next`: what a warning
  /// says of the next attempt; empty: the step after which it takes place.
  void note_saves(const std::string& next) {
    for (const io::SaveOutcome& outcome : saver_.take_outcomes()) {
      if (outcome.error) {
        note_failure(outcome.step, outcome.error, next);
      } else {
        last_checkpoint_ = outcome.checkpoint;
        saved_ = outcome.step;
        failed_saves_ = 0;
        next_attempt_ = 0;
      }
    }
  }

  void note_failure(std::int64_t step, const std::exception_ptr& error, const std::string& next) {
    saves_.erase(step);
    if (++failed_saves_ >= kSaveAttempts) std::rethrow_exception(error);
    next_attempt_ =
        parts_->trainer.steps() + std::max<std::int64_t>(1, config_.checkpoint.every / 10);
    log_warning(
        "[run] could not save step ", step, ": ", text_of(error), "; ",
        next.empty() ? str("the run goes on and tries again after step ", next_attempt_) : next);
  }

  /// All ranks. Saves: at the end of the run, or without checkpoint.async, until the checkpoint is
  /// durable; else in the background.
  void save_state(bool end) {
    const std::int64_t step = parts_->trainer.steps();
    const std::string next = end ? "trying again" : "";
    while (true) {
      next_attempt_ = 0;
      const auto problem = start_save(step, parts_->trainer.state_parts(), &saver_, [&] {
        keep_folder();
        saves_.insert(step);
        store_.emplace(directory_.checkpoints(), retention());
        return describe_save(*store_);
      });
      if (problem) note_failure(step, problem, next);
      if (end || !config_.checkpoint.async) saver_.finish(step);
      note_saves(next);
      if (!end || ranks_.any(writes_ && saved_ == step, {"whether the end is saved", step})) return;
      std::this_thread::sleep_for(std::chrono::seconds(1));
    }
  }

  /// All ranks. Waits for the saves of a run that ends with an error.
  void end_saves() {
    saver_.finish(parts_->trainer.steps());
    note_ended_saves();
  }

  void note_ended_saves() {
    for (const io::SaveOutcome& outcome : saver_.take_outcomes()) {
      if (outcome.error) {
        log_warning("[run] could not save step ", outcome.step, ": ", text_of(outcome.error));
      } else {
        last_checkpoint_ = outcome.checkpoint;
        saved_ = outcome.step;
      }
    }
  }

  /// All ranks. Saves the state that a failure leaves behind, if it is that of a finished step and
  /// has not been saved. Removes no other checkpoint, because this one may lead to the same failure
  /// again.
  void rescue() {
    end_saves();
    const Trainer& trainer = parts_->trainer;
    const std::int64_t step = trainer.steps();
    const bool unsaved = step > saved_ && step == recorded_ && trainer.is_whole();
    if (!ranks_.any(writes_ && unsaved, {"whether to save", step})) return;
    const StateParts state = trainer.state_parts();
    if (ranks_.any(!is_finite(state), {"whether weights are not finite", step})) {
      if (writes_)
        log_warning("[run] the weights of step ", step, " are not finite and are not saved");
      return;
    }
    const auto problem = start_save(step, state, &saver_, [&] {
      return describe_save(io::CheckpointStore(directory_.checkpoints(),
                                               {.keep_last = std::numeric_limits<int>::max()}));
    });
    if (problem) log_warning("[run] could not save step ", step, ": ", text_of(problem));
    end_saves();
    if (saved_ != step) return;
    log_warning("[run] saved step ", step, " in ", last_checkpoint_.string(),
                " before the run ends with an error");
  }

  const Config& config_;
  RunDirectory directory_;
  const TrainingHooks& hooks_;
  comm::Communicator& ranks_;
  std::optional<RankGrid> grid_;
  const bool writes_;  ///< this is rank 0
  bool started_ = false;
  std::unique_ptr<Parts> parts_;
  std::optional<io::CheckpointStore> store_;
  std::optional<MetricsWriter> metrics_;
  std::optional<HeldOutError> held_out_;
  Tensor preview_contexts_;  ///< of the previews' clips; undefined if the model takes no text
  std::filesystem::path last_checkpoint_;
  RunHistory history_;
  SideOutput progress_, messages_, errors_, folder_, lines_, previews_, records_, lists_;
  std::int64_t recorded_ = 0;      ///< last step whose metrics were appended
  std::int64_t saved_ = 0;         ///< last step that a checkpoint holds
  std::int64_t next_attempt_ = 0;  ///< step after which a failed save is tried again; 0: none
  int failed_saves_ = 0;           ///< in a row
  soflow::DriftAlarm alarm_;
  LossSentinel sentinel_;  ///< of rank 0
  BestSteps best_;
  std::set<std::int64_t> saves_;  ///< steps whose saves this call has started
  bool diverged_ = false;
  bool list_is_old_ = false;  ///< quarantine.jsonl lacks a clip
  double peak_ = 1;
  SideOutput syncs_;       ///< the saving thread's
  BackgroundSaver saver_;  ///< last: waits for its saves before what they read is destroyed
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
