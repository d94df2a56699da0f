#include "eflow/trainer/setup/objective_config.hpp"

#include <algorithm>
#include <cmath>
#include <locale>
#include <sstream>

#include "eflow/core/base/error.hpp"
#include "eflow/trainer/config/model_config.hpp"
#include "eflow/trainer/cost/model_flops.hpp"

namespace eflow::trainer {

namespace {

/// f32 values of a slice; 0: no slices.
std::int64_t slice_values(double mib) {
  if (mib == 0) return 0;
  return std::max(std::int64_t{1}, static_cast<std::int64_t>(mib * (1 << 20) / sizeof(float)));
}

/// Returns the step at this share of the run.
std::int64_t step_at(const Config& config, double share) {
  return std::llround(share * static_cast<double>(config.train.iterations));
}

bool is_conditional(const nn::DiTConfig& network) {
  return network.classes > 0 || network.context_dim > 0;
}

soflow::GuidanceOptions guidance_options(const Config& config, const nn::DiTConfig& network) {
  soflow::GuidanceOptions options = config.guidance;
  if (options.scale <= 1 && options.scale_max <= 1) options.mix = 1;
  if (config.objective.cfg_decay) options.decay_time = 0.8;
  if (!is_conditional(network)) options.label_drop = 0;
  options.null_label = network.classes;
  return options;
}

soflow::MvaOptions mva_options(const Config& config) {
  const MvaConfig& c = config.mva;
  soflow::MvaOptions options;
  if (c.share > 0) {
    options.pattern = soflow::loss_pattern(config.objective.fm_share - c.share, c.share);
  }
  options.first_step = step_at(config, c.from);
  options.jumps = c.jumps;
  options.weight = c.weight;
  return options;
}

}  // namespace

soflow::GivenFrames given_frames(const Config& config, const nn::DiTConfig& network) {
  soflow::GivenFrames given = config.objective.given;
  given.patch_t = network.patch.t;
  return given;
}

soflow::ObjectiveOptions objective_options(const Config& config, const nn::DiTConfig& network) {
  const ObjectiveConfig& c = config.objective;
  soflow::ObjectiveOptions options;
  options.pattern = soflow::loss_pattern(c.fm_share);
  options.weight = c.weight;
  options.scm_scale = c.scm_scale;
  options.times = {c.t, c.scm_t.deviation > 0 ? c.scm_t : c.t, c.s};
  options.ratio = c.ratio;
  if (c.ratio.iterations == 0) options.ratio.iterations = c.ratio.first + config.train.iterations;
  options.guidance = guidance_options(config, network);
  options.mva = mva_options(config);
  options.drop = config.drop;
  options.drop_schedule = {step_at(config, config.drop.until), config.drop.dense_every};
  if (options.drop_schedule.until == 0) options.drop.kind = soflow::DropKind::kNone;
  options.given = given_frames(config, network);
  options.grid = network.grid();
  options.patch = network.patch;
  options.seed = config.train.seed;
  return options;
}

soflow::AnyFlowOptions anyflow_options(const Config& config, const nn::DiTConfig& network) {
  return {.guidance = config.guidance.scale,
          .shift = config.objective.t.shift,
          .label_drop = is_conditional(network) ? config.guidance.label_drop : 0,
          .null_label = network.classes,
          .causal = is_causal(config),
          .given = given_frames(config, network),
          .seed = config.train.seed};
}

std::vector<int> parse_rollouts(const std::string& text) {
  std::vector<int> steps;
  std::istringstream list(text);
  for (std::string entry; std::getline(list, entry, ',');) {
    std::istringstream number(entry);
    number.imbue(std::locale::classic());
    int n = 0;
    std::string rest;
    if (!(number >> n) || n < 1 || number >> rest) {
      throw InvalidArgument(
          str("anyflow.rollouts: expected numbers of steps, like 2,4,8; found '", text, "'"));
    }
    steps.push_back(n);
  }
  if (steps.empty()) throw InvalidArgument("anyflow.rollouts: expected numbers, found none");
  return steps;
}

double anyflow_passes(const Config& config, const nn::DiTConfig& network) {
  const soflow::AnyFlowOptions options = anyflow_options(config, network);
  const bool on_policy = config.objective.kind == ObjectiveKind::kAnyFlowOnPolicy;
  const bool maps = !on_policy || config.anyflow.cotrain;
  // With micro-batches, half of the samples are evaluated once more, for the level of the loss.
  const double level = config.train.accumulation * config.train.shards > 1 && maps
                           ? (options.guidance != 1 ? 1 : 0.5) * (options.causal ? 2 : 1)
                           : 0;
  if (!on_policy) return anyflow_passes(options) + level;
  return on_policy_passes(options, parse_rollouts(config.anyflow.rollouts),
                          config.anyflow.cotrain) +
         level;
}

TrainerOptions trainer_options(const Config& config) {
  TrainerOptions options;
  options.batch = config.train.batch;
  options.accumulation = config.train.accumulation;
  options.shards = config.train.shards;
  options.sequence = static_cast<int>(config.train.sequence);
  options.slice = slice_values(config.train.slice_mib);
  options.average_in_loss = config.mva.share > 0;
  options.seed = config.train.seed;
  options.learning_rate = config.optim.lr;
  options.learning_rate.total = config.train.iterations;
  options.adamw = config.optim.adamw;
  options.ema = config.ema;
  options.clip = config.optim.clip;
  options.skip_nonfinite = config.train.skip_nonfinite;
  return options;
}

}  // namespace eflow::trainer
