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
/// Where objective.kind is anyflow.
[[nodiscard]] soflow::AnyFlowOptions anyflow_options(const Config& config,
                                                     const nn::DiTConfig& network);
[[nodiscard]] TrainerOptions trainer_options(const Config& config);
/// The law of t, also that of the held-out error.
[[nodiscard]] soflow::LogitNormal time_law(const ObjectiveConfig& config);

}  // namespace eflow::trainer
