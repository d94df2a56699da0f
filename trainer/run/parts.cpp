#include "eflow/trainer/run/parts.hpp"

#include <utility>

#include "eflow/nn/dit/video_dit.hpp"
#include "eflow/trainer/config/model_config.hpp"
#include "eflow/trainer/ranks/shared_level.hpp"
#include "eflow/trainer/run/objective_config.hpp"

namespace eflow::trainer {
namespace {

TrainerOptions options_with(TrainerOptions options, const std::vector<Bucket>& buckets,
                            comm::Communicator* ranks) {
  options.ranks = ranks;
  for (const Bucket& bucket : buckets) options.others.push_back({bucket.source, bucket.share});
  return options;
}

}  // namespace

Clips open_clips(const Config& config) {
  Clips clips{open_data(config.data), {}};
  check_condition(config, clips.sets.info.clips);
  clips.buckets = open_buckets(parse_buckets(config.data.buckets), *clips.sets.training,
                               config.data.context_length);
  return clips;
}

Parts::Parts(const Config& config, Clips clips, comm::Communicator* ranks)
    : data(std::move(clips.sets)),
      buckets(std::move(clips.buckets)),
      model(make_model(config, data.info.clips)),
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
    trainer.before_losses([this, ranks, shards = config.train.shards](
                              const std::vector<soflow::Batch>& parts, std::int64_t step) {
      if (on_policy) return on_policy->measure_level(parts, step);
      const auto level_of = [&](const std::vector<soflow::Batch>& some) {
        return anyflow.level(std::cref(*model), some, step);
      };
      level = shards == 1 ? level_of(parts) : shared_level(parts, level_of, ranks, step);
    });
  }
  // Fail now rather than at the first step of a bucket that does not fit the model.
  for (const Bucket& bucket : buckets) {
    const nn::DiTConfig other = model->config().for_clips(bucket.source->clip_shape());
    nn::check(other);
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
