#include "eflow/trainer/run/start.hpp"

#include <algorithm>

#include "eflow/core/base/error.hpp"
#include "eflow/core/base/log.hpp"
#include "eflow/core/base/number_text.hpp"
#include "eflow/core/base/stopwatch.hpp"
#include "eflow/core/tensor/device.hpp"
#include "eflow/jit/host/thread_pool.hpp"
#include "eflow/jit/runtime.hpp"
#include "eflow/nn/attention/sequence_part.hpp"
#include "eflow/nn/dit/video_dit.hpp"
#include "eflow/trainer/config/exit_code.hpp"
#include "eflow/trainer/config/model_config.hpp"
#include "eflow/trainer/ranks/agreement.hpp"
#include "eflow/trainer/ranks/device_messages.hpp"
#include "eflow/trainer/run/generator.hpp"
#include "eflow/trainer/run/parts.hpp"
#include "eflow/trainer/run/resume.hpp"
#include "eflow/trainer/saving/tensor_bytes.hpp"
#include "eflow/trainer/setup/unused_options.hpp"
#include "eflow/trainer/weights/fit_weights.hpp"

namespace eflow::trainer {
namespace {

/// Has the ranks of a lane divide the clips. Fails now rather than at the first step.
void divide_clips(const RankGrid& grid, std::int64_t sequence, Parts* parts) {
  static_cast<void>(
      nn::frames_of_ranks(parts->model->config().grid().t, static_cast<int>(sequence)));
  parts->model->divide_clips(grid.lane_ranks());
  parts->average->divide_clips(grid.lane_ranks());
}

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
  say(str("kernels: ", compiled, " compiled, ", found, " from the cache, in ",
          fixed_text(watch.seconds(), 2), " s"));
}

}  // namespace

std::string describe_device() {
  const DevicePtr& device = default_device();
  const jit::Runtime& runtime = device->runtime();
  const jit::Target target = runtime.target();
  return str(device->name(), ", ", target.arch,
             target.backend == jit::Backend::kHost ? str(" on ", runtime.pool().size(), " threads")
                                                   : std::string());
}

std::string describe_ranks(const Config& config, const comm::Communicator& ranks) {
  if (ranks.size() == 1) return "";
  const std::int64_t sequence = config.train.sequence;
  return str(", ", ranks.name_of(ranks.rank()), " of ", ranks.size(), ", ", config.train.shards,
             " shards", sequence > 1 ? str(", ", sequence, " ranks per clip") : std::string());
}

std::unique_ptr<Parts> build_parts(const Config& config, const RankGrid& grid, const Say& say) {
  comm::Communicator& ranks = grid.all();
  auto parts = std::make_unique<Parts>(config, open_clips(config), &ranks);
  divide_clips(grid, config.train.sequence, parts.get());
  if (const std::string line = connect_devices(&ranks, default_device()); !line.empty()) say(line);
  if (ranks.size() > 1) {  // the facts include a hash of the whole program
    Facts facts = facts_of_build();
    facts.emplace_back("data set", parts->data.info.fingerprint);
    require_agreement(facts, &ranks);
  }
  for (const std::string& warning : parts->data.warnings) log_warning("[data] ", warning);
  const std::string unused = describe_unused(config, parts->data.info.clips);
  if (!unused.empty()) say(unused);
  prepare_kernels(*parts, say);
  return parts;
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
