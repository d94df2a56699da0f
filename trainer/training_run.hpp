#pragma once
// A whole training run of the video network: data, model, objective, and everything around the steps: metrics, held-out
// error, previews, checkpoints, resuming, stopping. `eflow train` is this and a progress bar.

#include <functional>

#include "eflow/trainer/metrics.hpp"
#include "eflow/trainer/resume.hpp"

namespace eflow::trainer {

struct TrainingHooks {
  /// Asked after every step; true saves and ends the run early.
  std::function<bool()> stop = [] { return false; };
  std::function<void(const StepMetrics& metrics)> on_step = [](const StepMetrics&) {};
  Say say = [](const std::string&) {};
};

struct TrainingResult {
  std::int64_t step = 0;  ///< finished steps
  bool stopped = false;   ///< by the hook, before train.iterations
  std::filesystem::path checkpoint;
};

/// Trains until train.iterations, from where `resume` (resume.hpp) says. Sets the default device by train.threads.
/// Throws what its parts throw; NumericError names the step, the clips and the last good checkpoint.
TrainingResult run_training(const Config& config, const std::filesystem::path& out,
                            const std::string& resume, const TrainingHooks& hooks);

/// Makes the default device one of so many threads; 0 leaves it.
void use_threads(std::int64_t threads);

}  // namespace eflow::trainer
