#include "eflow/trainer/run/start.hpp"

#include <algorithm>

#include "eflow/core/base/error.hpp"
#include "eflow/core/base/log.hpp"
#include "eflow/core/base/number_text.hpp"
#include "eflow/core/base/stopwatch.hpp"
#include "eflow/core/tensor/device.hpp"
#include "eflow/jit/host/thread_pool.hpp"
#include "eflow/jit/runtime.hpp"
#include "eflow/nn/dit/video_dit.hpp"
#include "eflow/trainer/config/exit_code.hpp"
#include "eflow/trainer/config/model_config.hpp"
#include "eflow/trainer/run/generator.hpp"
#include "eflow/trainer/run/parts.hpp"
#include "eflow/trainer/run/resume.hpp"
#include "eflow/trainer/saving/tensor_bytes.hpp"
#include "eflow/trainer/weights/fit_weights.hpp"

namespace eflow::trainer {

std::string describe_device() {
  const DevicePtr& device = default_device();
  const jit::Runtime& runtime = device->runtime();
  const jit::Target target = runtime.target();
  return str(device->name(), ", ", target.arch,
             target.backend == jit::Backend::kHost ? str(" on ", runtime.pool().size(), " threads")
                                                   : std::string());
}

std::string describe_bytes(double bytes) {
  return bytes < 1e9 ? fixed_text(bytes / 1e6, 1) + " MB" : fixed_text(bytes / 1e9, 2) + " GB";
}

TrainingMemory memory_of(const Config& config, const nn::DiTConfig& model) {
  const auto weights = 4 * static_cast<double>(nn::parameter_count(model));
  const auto clips =
      static_cast<double>(config.train.batch / (std::max<std::int64_t>(1, config.train.shards) *
                                                config.train.accumulation));
  const double tokens = clips * static_cast<double>(model.grid().count());
  const auto width = static_cast<double>(model.dim), hidden = static_cast<double>(model.hidden);
  const auto wide = sizeof(float), narrow = size_of(config.train.precision);
  const double stream = static_cast<double>(wide) * 4 * width,
               branches = static_cast<double>(narrow) * (11 * width + 2 * hidden);
  const double block = stream + branches, blocks = static_cast<double>(model.blocks());
  const double input = static_cast<double>(wide) * width;
  const double kept = config.model.recompute ? blocks * input + block : blocks * block;
  // On-policy adds a learned score with gradients and moments and a teacher, and keeps up to three
  // jumps.
  const bool on_policy = config.objective.kind == ObjectiveKind::kAnyFlowOnPolicy;
  const double jumps = on_policy ? 3 : 1, clean = is_causal(config) && !on_policy ? 2 : 1;
  return {(on_policy ? 10 : 5) * weights, tokens * kept * jumps * clean,
          (on_policy ? 7 : 4) * weights};
}

void require_memory(const Config& config, const nn::DiTConfig& model, int ranks, double available) {
  if (available <= 0) return;
  const TrainingMemory memory = memory_of(config, model);
  // Two of the five parts of the state, the moments, are divided over the ranks.
  const double state = memory.state * (3 + 2.0 / ranks) / 5;
  const std::string found =
      str("weights, gradients, moments and averages take ", describe_bytes(state),
          " and activations about ", describe_bytes(memory.activations), ", this machine has ",
          describe_bytes(available));
  constexpr const char* kRemedy =
      "; a smaller model (model.preset, model.dim, model.middle), a smaller train.batch, "
      "train.accumulation or train.recompute = true need less, --dry-run says how much";
  if (state > available) throw DeviceError(str("[memory] ", found, kRemedy));
  if (state + memory.activations > available)
    log_warning("[memory] ", found, ": the run may be killed for it", kRemedy);
}

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
  say(str("kernels: ", compiled, " compiled, ", found, " from the cache, in ",
          fixed_text(watch.seconds(), 2), " s"));
}

void check_teacher(const std::optional<WeightsOrigin>& was,
                   const std::optional<WeightsOrigin>& is) {
  if (!was || !is || was->digest == is->digest) return;
  log_warning("anyflow.teacher: the run began with step ", was->step, " of ", was->run,
              ", which now is at step ", is->step,
              ": from here on, the run learns from another teacher");
}

RunHistory start_from(const io::Checkpoint& checkpoint, const Config& config, const Say& say,
                      Parts* parts) {
  check_fits(checkpoint, config, parts->data.info, say);
  RunHistory history = info_of(checkpoint).history;
  try {
    parts->trainer.load_state(load_trainer_state(checkpoint), checkpoint.step(),
                              history.earlier_updates, history.skipped);
    return history;
  } catch (const InvalidArgument& error) {
    throw CheckpointError(str(checkpoint.path().string(), ": ", error.what()));
  }
}

void init_from(const TrainConfig& config, const Say& say, Parts* parts, RunHistory* history) {
  const std::filesystem::path& run = config.init_from;
  const io::Checkpoint checkpoint = newest_checkpoint(run);
  const CheckpointInfo from = info_of(checkpoint);
  try {
    if (config.init_state == InitState::kAll) {
      history->earlier_updates =
          checkpoint.step() - from.history.skipped + from.history.earlier_updates;
      parts->trainer.load_state(load_trainer_state(checkpoint), 0, history->earlier_updates);
    } else {
      const FittedWeights fitted =
          fit_weights(load_tensors(checkpoint, "ema."), dit_config(from.config, from.data.clips),
                      parts->model->config(), from.config.sample.guidance);
      for (const std::string& note : fitted.notes) say("train.init_from: " + note);
      parts->model->load_state(fitted.weights);
      parts->average->load_state(fitted.weights);
    }
    if (parts->on_policy) parts->on_policy->begin();
  } catch (const InvalidArgument& error) {
    throw CheckpointError(str("train.init_from: ", checkpoint.path().string(), ": ", error.what()));
  }
  history->init = WeightsOrigin{run.string(), checkpoint.step(), checkpoint.digest("ema/")};
}

CompilesStop::CompilesStop(const std::function<bool()>& stop) {
  default_device()->runtime().cancel_compiles_if(stop);
}
CompilesStop::~CompilesStop() {
  default_device()->runtime().cancel_compiles_if({});
}

}  // namespace eflow::trainer
