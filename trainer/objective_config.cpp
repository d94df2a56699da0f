#include "eflow/trainer/objective_config.hpp"

#include <cmath>
#include <sstream>

#include "eflow/base/error.hpp"
#include "eflow/trainer/model_config.hpp"
#include "eflow/trainer/model_flops.hpp"

namespace eflow::trainer {

namespace {

/// The step at this share of the run.
std::int64_t step_at(const Config& config, double share) {
  return std::llround(share * static_cast<double>(config.train.iterations));
}

soflow::GuidanceOptions guidance_options(const Config& config, const nn::DiTConfig& network) {
  const ObjectiveConfig& c = config.objective;
  const GuidanceConfig& g = config.guidance;
  const bool conditional = network.classes > 0 || network.context_dim > 0;
  soflow::GuidanceOptions options;
  options.kind = soflow::unconditional_kind(g.kind);
  options.scale = c.guidance;
  options.scale_max = g.w_max;
  options.per_sample = g.per_sample;
  options.embed = g.embed;
  options.mix = c.guidance > 1 || g.w_max > 1 ? c.velocity_mix : 1;
  options.decay_time = c.cfg_decay ? 0.8 : 1;
  options.label_drop = conditional ? c.label_drop : 0;
  options.path_drop = g.path_drop;
  options.null_label = network.classes;
  return options;
}

soflow::AdditivityOptions additivity_options(const Config& config) {
  const MvaConfig& c = config.mva;
  soflow::AdditivityOptions options;
  if (c.share > 0) {
    options.pattern = soflow::loss_pattern(config.objective.fm_share - c.share, c.share);
  }
  options.first_step = step_at(config, c.from);
  options.jumps = {c.nodes, c.shift, c.to_data, c.min_jump};
  options.weight = soflow::additivity_weight(c.weight);
  return options;
}

}  // namespace

soflow::LogitNormal time_law(const ObjectiveConfig& c) {
  return {c.t_mean, c.t_std, c.t_shift};
}

soflow::ObjectiveOptions objective_options(const Config& config, const nn::DiTConfig& network) {
  const ObjectiveConfig& c = config.objective;
  soflow::ObjectiveOptions options;
  options.pattern = soflow::loss_pattern(c.fm_share);
  options.weight = {c.p, c.eps};
  options.scm_scale = c.scm_scale;
  options.times = {time_law(c), time_law(c), {c.s_mean, c.s_std, c.s_shift}};
  options.ratio = {soflow::ratio_curve(c.r_schedule), c.r_init, c.r_end, config.train.iterations};
  options.guidance = guidance_options(config, network);
  options.additivity = additivity_options(config);
  options.drop = {soflow::drop_kind(config.drop.tokens), config.drop.ratio};
  options.drop_schedule = {step_at(config, config.drop.until), config.drop.dense_every};
  if (options.drop_schedule.until == 0) options.drop.kind = soflow::DropKind::kNone;
  options.grid = network.grid();
  options.patch = network.patch;
  options.seed = static_cast<std::uint64_t>(config.train.seed);
  return options;
}

soflow::AnyFlowOptions anyflow_options(const Config& config, const nn::DiTConfig& network) {
  const bool conditional = network.classes > 0 || network.context_dim > 0;
  return {.guidance = config.objective.guidance,
          .shift = config.objective.t_shift,
          .label_drop = conditional ? config.objective.label_drop : 0,
          .null_label = network.classes,
          .causal = is_causal(config),
          .seed = static_cast<std::uint64_t>(config.train.seed)};
}

std::vector<int> parse_rollouts(const std::string& text) {
  std::vector<int> steps;
  std::istringstream list(text);
  for (std::string entry; std::getline(list, entry, ',');) {
    std::istringstream number(entry);
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
  if (config.objective.kind == "anyflow") return anyflow_passes(options);
  return on_policy_passes(options, parse_rollouts(config.anyflow.rollouts), config.anyflow.cotrain);
}

TrainerOptions trainer_options(const Config& config) {
  TrainerOptions options;
  options.batch = config.train.batch;
  options.accumulation = config.train.accumulation;
  options.seed = static_cast<std::uint64_t>(config.train.seed);
  options.learning_rate = {.peak = config.optim.lr,
                           .curve = nn::curve_kind(config.optim.schedule),
                           .warmup = config.optim.warmup,
                           .total = config.train.iterations,
                           .end_fraction = config.optim.lr_end};
  options.adamw = {config.optim.beta1, config.optim.beta2, config.optim.eps,
                   config.optim.weight_decay};
  options.ema = {config.ema.decay, config.ema.warmup};
  options.clip = config.optim.clip;
  return options;
}

}  // namespace eflow::trainer
