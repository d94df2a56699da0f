#pragma once
// The [objective], [guidance], [drop], [mva], [optim], [ema] and [train] sections as the options of the parts that they are for.

#include "eflow/nn/dit_config.hpp"
#include "eflow/soflow/anyflow.hpp"
#include "eflow/soflow/objective.hpp"
#include "eflow/trainer/config.hpp"
#include "eflow/trainer/trainer.hpp"

namespace eflow::trainer {

/// For a network of this shape.
[[nodiscard]] soflow::ObjectiveOptions objective_options(const Config& config,
                                                         const nn::DiTConfig& network);
/// Of objective.kind = anyflow, and of anyflow-on-policy's share of it.
[[nodiscard]] soflow::AnyFlowOptions anyflow_options(const Config& config,
                                                     const nn::DiTConfig& network);
/// anyflow.rollouts as numbers. Throws InvalidArgument.
[[nodiscard]] std::vector<int> parse_rollouts(const std::string& text);
/// Forwards of a clip in a step of the AnyFlow stage that objective.kind names; a backward counts two.
[[nodiscard]] double anyflow_passes(const Config& config, const nn::DiTConfig& network);
[[nodiscard]] TrainerOptions trainer_options(const Config& config);
/// The law of t, also that of the held-out error.
[[nodiscard]] soflow::LogitNormal time_law(const ObjectiveConfig& config);

}  // namespace eflow::trainer
