#include "eflow/trainer/run/parts.hpp"

#include <utility>

#include "eflow/core/comm/communicator.hpp"
#include "eflow/core/tensor/device.hpp"
#include "eflow/jit/runtime.hpp"
#include "eflow/nn/attention/sequence_part.hpp"
#include "eflow/nn/dit/video_dit.hpp"
#include "eflow/trainer/config/model_config.hpp"
#include "eflow/trainer/cost/host_memory.hpp"
#include "eflow/trainer/ranks/shared_level.hpp"
#include "eflow/trainer/setup/objective_config.hpp"
#include "eflow/trainer/setup/training_memory.hpp"

namespace eflow::trainer {
namespace {

TrainerOptions options_with(TrainerOptions options, const std::vector<Bucket>& buckets,
                            comm::Communicator* ranks) {
  options.ranks = ranks;
  for (const Bucket& bucket : buckets) options.others.push_back({bucket.source, bucket.share});
  return options;
}

std::unique_ptr<GuardedSource> guard(std::unique_ptr<io::ClipSource> source, std::string folder,
                                     std::vector<std::int64_t> indices, const Clips& clips) {
  return std::make_unique<GuardedSource>(std::move(source), std::move(folder), std::move(indices),
                                         clips.damage);
}

/// Throws InvalidArgument if the clips of a bucket have fewer pairs of token frames than ranks.
void divide_frames(const nn::DiTConfig& clips, std::int64_t sequence) {
  try {
    static_cast<void>(nn::frames_of_ranks(clips.grid().t, static_cast<int>(sequence)));
  } catch (const InvalidArgument& error) {
    throw InvalidArgument(str("data.buckets: ", error.what()));
  }
}

/// Guards the training clips and the held-out clips.
void guard_sets(const DataConfig& config, Clips* clips) {
  DataSets& sets = clips->sets;
  auto training = guard(std::move(sets.training), config.dir, sets.training_indices, *clips);
  clips->guards.push_back(training.get());
  sets.training = std::move(training);
  if (!sets.held_out) return;
  sets.held_out = guard(std::move(sets.held_out), sets.other ? config.eval : config.dir,
                        sets.held_out_indices, *clips);
}

/// The network, if this machine has the memory to train it.
std::unique_ptr<nn::VideoDiT> make_trained(const Config& config, const ClipFormat& clips,
                                           const comm::Communicator* ranks) {
  if (default_device()->runtime().target().backend == jit::Backend::kHost)
    require_memory(config, dit_config(config, clips), ranks ? ranks->size() : 1,
                   static_cast<double>(host_memory()));
  return make_model(config, clips);
}

}  // namespace

Clips open_clips(const Config& config) {
  Clips clips{.sets = open_data(config.data)};
  check_condition(config, clips.sets.info.clips);
  const bool guarded = parse_on_error(config.data.on_error).most > 0 && !config.data.exact.enabled;
  const GuardedSource* last = nullptr;
  WrapSource wrap;
  if (guarded) {
    clips.damage = std::make_shared<DamageList>();
    guard_sets(config.data, &clips);
    wrap = [&](std::unique_ptr<io::ClipSource> set, const std::string& dir) {
      auto guarded_set = guard(std::move(set), dir, {}, clips);
      last = guarded_set.get();
      return guarded_set;
    };
  }
  for (const BucketSpec& spec : parse_buckets(config.data.buckets)) {
    last = guarded ? clips.guards[0] : nullptr;  // of a bucket that is cut from the run's own clips
    auto opened = open_buckets({spec}, *clips.sets.training, config.data.context_length, wrap);
    clips.buckets.push_back(std::move(opened[0]));
    if (guarded) clips.guards.push_back(last);
  }
  return clips;
}

Parts::Parts(const Config& config, Clips clips, comm::Communicator* ranks)
    : data(std::move(clips.sets)),
      buckets(std::move(clips.buckets)),
      damage(std::move(clips.damage)),
      guards(std::move(clips.guards)),
      model(make_trained(config, data.info.clips, ranks)),
      average(make_model(config, data.info.clips)),
      objective(objective_options(config, model->config())),
      anyflow(anyflow_options(config, model->config())),
      on_policy(config.objective.kind == ObjectiveKind::kAnyFlowOnPolicy
                    ? std::make_unique<OnPolicyRun>(config, data.info, model.get(), ranks)
                    : nullptr),
      trainer(model.get(), average.get(), loss_of(config), data.training.get(),
              options_with(trainer_options(config), buckets, ranks)) {
  if (on_policy) trainer.attach(on_policy.get());
  const bool divided = config.train.accumulation * config.train.shards > 1;
  if (divided && config.objective.kind != ObjectiveKind::kEFlow) {
    trainer.before_losses([this, ranks, shards = config.train.shards,
                           sequence = config.train.sequence](
                              const std::vector<soflow::Batch>& parts, std::int64_t step) {
      if (on_policy) return on_policy->measure_level(parts, step);
      const auto level_of = [&](const std::vector<soflow::Batch>& some) {
        return anyflow.level(std::cref(*model), some, step);
      };
      level = shards == 1 ? level_of(parts) : shared_level(parts, level_of, ranks, step, sequence);
    });
  }
  // Fail now rather than at the first step of a bucket that does not fit the model.
  for (const Bucket& bucket : buckets) {
    const nn::DiTConfig other = model->config().for_clips(bucket.source->clip_shape());
    nn::check(other);
    divide_frames(other, config.train.sequence);
    static_cast<void>(soflow::kept_count(objective.options().drop, other.grid()));
  }
}

Objective Parts::loss_of(const Config& config) {
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

std::vector<const io::ClipSource*> Parts::sources() const {
  std::vector<const io::ClipSource*> all = {data.training.get()};
  for (const Bucket& bucket : buckets) all.push_back(bucket.source);
  return all;
}

}  // namespace eflow::trainer
