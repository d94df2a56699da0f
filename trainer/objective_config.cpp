#include "eflow/trainer/objective_config.hpp"

namespace eflow::trainer {

soflow::LogitNormal time_law(const ObjectiveConfig& c) {
  return {c.t_mean, c.t_std, c.t_shift};
}

soflow::ObjectiveOptions objective_options(const Config& config, std::int64_t null_label) {
  const ObjectiveConfig& c = config.objective;
  soflow::ObjectiveOptions options;
  options.pattern = soflow::loss_pattern(c.fm_share);
  options.weight = {c.p, c.eps};
  options.scm_scale = c.scm_scale;
  options.times = {time_law(c), time_law(c), {c.s_mean, c.s_std, c.s_shift}};
  options.ratio = {soflow::ratio_curve(c.r_schedule), c.r_init, c.r_end, config.train.iterations};
  options.guidance.scale = c.guidance;
  options.guidance.mix = c.guidance > 1 ? c.velocity_mix : 1;
  options.guidance.decay_time = c.cfg_decay ? 0.8 : 1;
  options.guidance.label_drop = null_label > 0 ? c.label_drop : 0;
  options.guidance.null_label = null_label;
  options.seed = static_cast<std::uint64_t>(config.train.seed);
  return options;
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
