#pragma once
// Trainer: one training step of any model, any objective, any data, and the state that a step changes. It knows neither
// files nor terminals: the loop that saves, reports and samples is training_run.hpp.

#include <functional>
#include <memory>

#include "eflow/io/loader.hpp"
#include "eflow/nn/fused_update.hpp"
#include "eflow/nn/schedule.hpp"
#include "eflow/soflow/objective.hpp"
#include "eflow/trainer/companion.hpp"
#include "eflow/trainer/metrics.hpp"
#include "eflow/trainer/turns.hpp"

namespace eflow::trainer {

/// What is minimised: the losses of a part of step `step` + 1, as sum over samples / batch_total. Must be a function of its
/// arguments and the model's weights alone. soflow::EFlowObjective with its networks bound is one; StepLoss::samples may
/// stay empty, it is for the record.
using Objective = std::function<soflow::StepLoss(const soflow::Batch& part, std::int64_t step,
                                                 std::int64_t batch_total)>;

/// Clips of another shape that take a share of the steps.
struct StepShare {
  const io::ClipSource* source = nullptr;
  double share = 0;
};

struct TrainerOptions {
  std::int64_t batch = 32, accumulation = 1;
  std::uint64_t seed = 1;
  nn::LearningRate learning_rate;
  nn::AdamWOptions adamw;
  nn::EmaOptions ema;
  double clip = 1;  ///< largest gradient norm; 0: no clipping
  /// Sources beside the trainer's own, and their steps (turns.hpp). They must outlive the trainer.
  std::vector<StepShare> others = {};
};

/// Where the time of a step went, in seconds.
struct StepTimes {
  double data_wait = 0, forward = 0, backward = 0, optimizer = 0;
};

class Trainer {
 public:
  /// `average` is a second model of the same shape; it becomes a copy of `model` and then its moving average.
  /// All four must outlive the trainer. Clips come in the keyed random order of (seed, position).
  Trainer(nn::Module* model, nn::Module* average, Objective objective, const io::ClipSource* source,
          const TrainerOptions& options);

  /// Lets another learner step after each step; it must outlive the trainer.
  void attach(Companion* companion) { companion_ = companion; }

  /// One step: batch -> loss -> gradients -> clip -> AdamW -> EMA. Fills all of StepMetrics but mfu and eval_mse.
  /// Throws NumericError, with weights, moments and averages as before, when loss or gradients are not finite.
  StepMetrics step();

  /// Of the last step.
  [[nodiscard]] const StepTimes& times() const { return times_; }
  /// Finished steps.
  [[nodiscard]] std::int64_t steps() const { return step_; }
  /// [C, T, H, W] of the last step's clips.
  [[nodiscard]] const Shape& clip_shape() const { return clip_shape_; }
  /// All that a resumed trainer needs beside steps(): "model.*", "ema.*", "adamw.m.*", "adamw.v.*", and those
  /// of the companion.
  [[nodiscard]] nn::NamedTensors state() const;
  /// Goes on after `steps` finished steps from the tensors of another trainer's state(). Throws InvalidArgument listing
  /// names that are missing, unknown or of another shape; then nothing was changed.
  void load_state(const nn::NamedTensors& state, std::int64_t steps);

 private:
  /// Part `i` of the step's batch; adds which clips it has to ids_.
  [[nodiscard]] soflow::Batch next_part(std::int64_t i);
  void record(const std::vector<soflow::SampleRecord>& samples, StepMetrics* metrics) const;
  /// Takes back that the step was done, and throws, where it was none.
  void require_finite(const StepMetrics& metrics, const std::vector<soflow::SampleRecord>& samples);

  nn::Module* model_;
  nn::Module* average_;
  Objective objective_;
  /// Where the clips of some of the steps come from, and what is read ahead of them.
  struct Stream {
    const io::ClipSource* source;
    std::unique_ptr<io::Loader> loader;
  };
  std::vector<Stream> streams_;
  TrainerOptions options_;
  Turns turns_;
  nn::AdamW optimizer_;
  nn::Ema ema_;
  nn::FusedUpdate update_;
  Companion* companion_ = nullptr;
  std::vector<std::int64_t> ids_;  ///< clips of the step under way, in order
  Shape clip_shape_;
  StepTimes times_;
  std::int64_t step_ = 0;
};

/// One number for the clips of a step, in order: 16 hexadecimal digits.
[[nodiscard]] std::string hash_of_ids(const std::vector<std::int64_t>& ids);

}  // namespace eflow::trainer
