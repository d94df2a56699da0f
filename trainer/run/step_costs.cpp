#include "eflow/trainer/run/step_costs.hpp"

#include "eflow/nn/dit/video_dit.hpp"
#include "eflow/trainer/cost/device_peak.hpp"
#include "eflow/trainer/cost/model_flops.hpp"
#include "eflow/trainer/run/parts.hpp"
#include "eflow/trainer/setup/objective_config.hpp"

namespace eflow::trainer {

StepCosts::StepCosts(const Config& config, const Parts& parts, int ranks)
    : config_(config),
      parts_(parts),
      peak_(ranks * measure_device_peak(0.1, config.train.precision)) {}

void StepCosts::fill(StepMetrics* metrics) const {
  const std::int64_t done = metrics->step - 1;
  const std::int64_t text = parts_.data.info.text.length;
  metrics->tokens = metrics->kept_tokens = 0;
  double flops = 0;
  for (const auto& [shape, count] : parts_.trainer.last_clips()) {
    const nn::DiTConfig model = parts_.model->config().for_clips(shape);
    soflow::ObjectiveOptions objective = parts_.objective.options();
    objective.grid = model.grid();
    metrics->tokens += count * objective.grid.count();
    metrics->kept_tokens += count * objective.kept_at(done);
    flops += static_cast<double>(count) *
             (config_.objective.kind == ObjectiveKind::kEFlow
                  ? step_flops(model, objective, done, text)
                  : forward_flops(model, -1, text).total() * anyflow_passes(config_, model));
  }
  metrics->mfu = flops / metrics->step_s / peak_;
}

}  // namespace eflow::trainer
