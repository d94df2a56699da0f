#pragma once
// Trainer: one training step for any model, objective and data source, and the state that a step
// changes. It knows neither files nor terminals; training_run.hpp adds the loop that saves, reports
// and samples.

#include <cmath>
#include <functional>
#include <memory>
#include <utility>
#include <vector>

#include "eflow/core/base/export.hpp"
#include "eflow/io/dataset/clip_source.hpp"
#include "eflow/nn/optim/fused_update.hpp"
#include "eflow/nn/optim/schedule.hpp"
#include "eflow/soflow/objective/objective.hpp"
#include "eflow/trainer/step/metrics.hpp"
#include "eflow/trainer/step/second_learner.hpp"

EFLOW_EXPORT_BEGIN

namespace eflow {
class Stopwatch;
}  // namespace eflow

namespace eflow::comm {
class Communicator;
}  // namespace eflow::comm

namespace eflow::trainer {

struct StateGroup;
struct StatePart;
class StepClips;

/// The function to minimise: the loss of one micro-batch of the step that follows `step` finished
/// ones, summed over its samples and divided by batch_total. It must depend on its arguments and on
/// the model's weights only. soflow::EFlowObjective with its networks bound is one.
/// StepLoss::samples() is used for metrics only and may be empty.
using Objective = std::function<soflow::StepLoss(const soflow::Batch& part, std::int64_t step,
                                                 std::int64_t batch_total)>;

/// Called with all micro-batches of a step before its first loss. step: finished steps.
using StepStart = std::function<void(const std::vector<soflow::Batch>& parts, std::int64_t step)>;

/// Clips of another shape, which take a share of every batch.
struct StepShare {
  const io::ClipSource* source = nullptr;
  double share = 0;
};

struct TrainerOptions {
  std::int64_t batch = 32;        ///< clips per step
  std::int64_t accumulation = 1;  ///< micro-batches per shard; must divide batch / shards
  /// Shards of the batch, by sample index. A shard's gradient is its own backward pass, and shards
  /// are added over a fixed tree, so the result depends on their number but not on that of the ranks
  /// that work on them. 0: one per `sequence` ranks.
  std::int64_t shards = 1;
  /// Values of each rank's slice of a bucket of the gradient (trainer/ranks/flat_layout.hpp). A bucket
  /// travels between ranks while the backward pass computes the others. 0: a single bucket. The
  /// result does not depend on it.
  std::int64_t slice = std::int64_t{1} << 19;
  /// The ranks that take this step together; nullptr: this process alone. Must outlive the trainer.
  comm::Communicator* ranks = nullptr;
  /// Consecutive ranks that have the same clips and divide their tokens: the objective's networks
  /// do so (nn::VideoDiT::divide_clips). Divides the number of ranks.
  int sequence = 1;
  /// Whether the objective evaluates the moving average, which several ranks then gather each step.
  bool average_in_loss = false;
  std::uint64_t seed = 1;
  nn::LearningRate learning_rate = {};
  nn::AdamWOptions adamw = {};
  nn::EmaOptions ema = {};
  double clip = 1;  ///< maximum gradient norm; 0: no clipping
  /// Steps of the run whose loss or gradient norm may be not finite: their update is skipped. The
  /// next such step throws.
  std::int64_t skip_nonfinite = 0;
  /// Further sources and their shares of every batch (data/batch_mix.hpp). They must outlive the
  /// trainer.
  std::vector<StepShare> others = {};
};

/// The parts of a step's time, in seconds.
struct StepTimes {
  double data_wait = 0, forward = 0, backward = 0, optimizer = 0;
};

/// A clip of a step's batch.
struct StepClip {
  std::size_t source = 0;  ///< 0: the trainer's source; j: TrainerOptions::others[j - 1]
  std::int64_t index = 0;  ///< in the source
  std::uint64_t draw = 0;  ///< chooses its conditioning tokens (io::ClipSource::read_context())
};

/// What a step computed before its update.
struct StepOutcome {
  double loss = 0, grad_norm = 0;
  std::vector<soflow::SampleRecord> samples = {};  ///< of all ranks
  [[nodiscard]] bool is_finite() const { return std::isfinite(loss) && std::isfinite(grad_norm); }
};

/// Not thread-safe: one thread at a time may call step(), state() and load_state().
class Trainer {
 public:
  /// `average` is a second model of the same shape; it becomes a copy of `model` and then its
  /// moving average. Models, source and whatever the objective refers to must outlive the trainer.
  /// Clips are read in the keyed random order of (seed, position). Throws InvalidArgument.
  Trainer(nn::Module* model, nn::Module* average, Objective objective, const io::ClipSource* source,
          const TrainerOptions& options);
  ~Trainer();

  /// Registers a second learner that steps after each of the trainer's steps. It must outlive the
  /// trainer.
  void attach(SecondLearner* companion) { second_learner_ = companion; }

  /// Sets a function for objectives whose micro-batches depend on each other. The clips of a whole
  /// step are then in memory at once.
  void before_losses(StepStart start) { start_ = std::move(start); }

  /// One step: batch -> loss -> gradients -> clip -> AdamW -> EMA. Fills StepMetrics except tokens,
  /// kept_tokens, mfu and eval_mse. If the loss or gradient norm is not finite, leaves weights,
  /// moments and averages unchanged, and throws NumericError unless TrainerOptions::skip_nonfinite
  /// allows it. With several ranks, all must call it; it throws comm::PeerError if another rank is
  /// lost.
  StepMetrics step();

  /// Times of the last step.
  [[nodiscard]] const StepTimes& times() const { return times_; }
  /// Whether state() is that of steps() finished steps. False after step() threw between the update
  /// of the weights and the end of the step: such a state must not be saved.
  [[nodiscard]] bool is_whole() const { return whole_; }
  /// Number of finished steps.
  [[nodiscard]] std::int64_t steps() const { return step_; }
  /// Of these, the steps whose update was skipped.
  [[nodiscard]] std::int64_t skipped() const { return skipped_; }
  /// Of the last step(), also if it threw NumericError.
  [[nodiscard]] const StepOutcome& outcome() const { return outcome_; }
  /// The clips of the step that follows `step` finished ones, of all ranks, source by source.
  [[nodiscard]] std::vector<StepClip> clips_of(std::int64_t step) const;
  /// The clips of the last step, over all ranks: their shapes [C, T, H, W] and numbers, by source.
  [[nodiscard]] std::vector<std::pair<Shape, std::int64_t>> last_clips() const;
  /// Everything needed to resume, except steps(): tensors named "model.*", "ema.*", "adamw.m.*" and
  /// "adamw.v.*", and those of the attached second learner. With several ranks, all must call it;
  /// rank 0 gets the tensors, which it must have memory for, and the others nothing.
  [[nodiscard]] nn::NamedTensors state() const;
  /// What this rank saves of state(), which needs no communication.
  [[nodiscard]] std::vector<StatePart> state_parts() const;
  /// The weights as all ranks have them: rounded to bf16 where that is what is computed with. Only
  /// the rank that updates a weight has its f32 value.
  [[nodiscard]] nn::NamedTensors shared_weights() const;
  /// Names, shapes and dtypes of state(), without values.
  [[nodiscard]] std::vector<std::pair<std::string, TensorSpec>> state_specs() const;
  /// Makes the moving average complete on all ranks, each of which updates a part of it. All must
  /// call it before they evaluate the average.
  void gather_average() const;
  /// Micro-batches of a step on this rank.
  [[nodiscard]] std::int64_t own_parts() const;
  /// Restores the state() of a trainer that had finished `steps` steps, after `earlier_updates` of
  /// the runs that it began from; `skipped` of its steps made no update. Throws InvalidArgument
  /// listing missing and surplus names and differing shapes; nothing has then changed.
  void load_state(const nn::NamedTensors& state, std::int64_t steps,
                  std::int64_t earlier_updates = 0, std::int64_t skipped = 0);

 private:
  struct Work;  ///< what a step has computed on this rank
  /// Forward and backward passes of all micro-batches of this rank.
  [[nodiscard]] Work add_gradients(Stopwatch* watch);
  /// Adds what the ranks have computed, updates weights and averages, and reads the outcome.
  void update(Work* work, StepMetrics* metrics);
  /// The loss of the step from those of this rank's shards, f64 [1]. With several shards, completes
  /// `samples` and ids_ by those of the other ranks.
  [[nodiscard]] Tensor total_loss(const std::vector<Tensor>& losses,
                                  std::vector<soflow::SampleRecord>* samples);
  /// Sum of squares of the gradient, f64 [1].
  [[nodiscard]] Tensor squared_norm();
  void record(const std::vector<soflow::SampleRecord>& samples, StepMetrics* metrics) const;
  /// If the outcome is not finite, takes back the update that optimizer and average have counted,
  /// and counts the step as skipped or throws. Returns whether there was an update.
  bool keep_update();
  /// The state in groups, but for the second learner's.
  [[nodiscard]] std::vector<StateGroup> groups() const;
  /// Updates of the optimizer so far.
  [[nodiscard]] std::int64_t updates() const { return earlier_updates_ + step_ - skipped_; }

  nn::Module* model_;
  nn::Module* average_;
  Objective objective_;
  TrainerOptions options_;
  struct Division;  ///< of the work over ranks
  std::unique_ptr<Division> division_;
  std::unique_ptr<StepClips> clips_;
  nn::AdamW optimizer_;
  nn::Ema ema_;
  nn::FusedUpdate update_;
  SecondLearner* second_learner_ = nullptr;
  StepStart start_;
  std::vector<std::int64_t> ids_;         ///< clip ids of the current step, in order
  mutable bool average_is_whole_ = true;  ///< on this rank; completed when it is asked for
  StepTimes times_;
  StepOutcome outcome_;
  std::int64_t step_ = 0, skipped_ = 0;
  std::int64_t earlier_updates_ = 0;  ///< of the optimizer, before the first step
  bool whole_ = true;
};

}  // namespace eflow::trainer

EFLOW_EXPORT_END
