#pragma once
// A complete training run of the video network: data, model and objective, and everything around
// the steps: metrics, held-out error, previews, checkpoints, resuming and stopping. `eflow train`
// adds only a progress bar.

#include <filesystem>
#include <functional>

#include "eflow/core/base/export.hpp"
#include "eflow/trainer/config/config.hpp"
#include "eflow/trainer/run/say.hpp"
#include "eflow/trainer/step/metrics.hpp"

EFLOW_EXPORT_BEGIN

namespace eflow::comm {
class Communicator;
}  // namespace eflow::comm

namespace eflow::trainer {

/// Callbacks of a run, all on the calling thread. What on_step and say throw is a warning and does
/// not end the run, because a terminal or a log must not cost a training step; `stop` ends it.
struct TrainingHooks {
  /// Polled after every step, where true saves a checkpoint and ends the run early, and while
  /// kernels are compiled before the first step, where true ends it without a save.
  std::function<bool()> stop = [] { return false; };
  std::function<void(const StepMetrics& metrics)> on_step = [](const StepMetrics&) {};
  Say say = [](const std::string&) {};
  /// The ranks that train this run together, each with a call of its own; nullptr: this process
  /// alone. Rank 0 writes the folder. A stop on any rank stops all.
  comm::Communicator* ranks = nullptr;
  /// The ranks are threads of this process: the run leaves alone what belongs to all of them, the
  /// default device and its compiler.
  bool ranks_share_process = false;
};

struct TrainingResult {
  std::int64_t step = 0;  ///< finished steps
  bool stopped = false;   ///< by TrainingHooks::stop, before train.iterations
  /// The last one saved or resumed from; empty if the run was stopped before its first step.
  std::filesystem::path checkpoint = {};
};

/// Trains until train.iterations in the folder `out`, starting where `resume` says (see
/// find_checkpoint()). Applies model.preset and checks the rules between options (resolved()).
/// Replaces the default device if train.threads is set. Throws what its parts throw; a NumericError
/// names the step, the clips and the last good checkpoint. Before it throws, it saves the last
/// finished step if it can. A preview, a line of metrics or a periodic save that fails is a warning,
/// and is tried again; the third save in a row that fails ends the run.
TrainingResult run_training(const Config& config, const std::filesystem::path& out,
                            const std::string& resume, const TrainingHooks& hooks);

/// Replaces the default device by one with this many threads; 0 keeps the device.
void use_threads(std::int64_t threads);

}  // namespace eflow::trainer

EFLOW_EXPORT_END
