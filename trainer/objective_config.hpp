#pragma once
// The [objective], [optim], [ema] and [train] sections as the options of the parts that they are for.

#include "eflow/soflow/objective.hpp"
#include "eflow/trainer/config.hpp"
#include "eflow/trainer/trainer.hpp"

namespace eflow::trainer {

/// `null_label`: the id by which the network knows "no label".
[[nodiscard]] soflow::ObjectiveOptions objective_options(const Config& config,
                                                         std::int64_t null_label);
[[nodiscard]] TrainerOptions trainer_options(const Config& config);
/// The law of t, also that of the held-out error.
[[nodiscard]] soflow::LogitNormal time_law(const ObjectiveConfig& config);

}  // namespace eflow::trainer
