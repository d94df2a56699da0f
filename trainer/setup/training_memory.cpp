#include "eflow/trainer/setup/training_memory.hpp"

#include <algorithm>

#include "eflow/core/base/error.hpp"
#include "eflow/core/base/log.hpp"
#include "eflow/core/base/number_text.hpp"
#include "eflow/trainer/config/model_config.hpp"

namespace eflow::trainer {

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

}  // namespace eflow::trainer
