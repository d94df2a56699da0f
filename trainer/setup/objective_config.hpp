#pragma once
// From a Config to the options of the objectives and of the trainer: joins the sections and derives
// what depends on more than one (steps from shares of the run, the null label from the network).

#include "eflow/nn/dit/config.hpp"
#include "eflow/soflow/anyflow/anyflow.hpp"
#include "eflow/soflow/objective/objective.hpp"
#include "eflow/trainer/config/config.hpp"
#include "eflow/trainer/step/trainer.hpp"

namespace eflow::trainer {

/// Returns the options of EFlowObjective for this network.
[[nodiscard]] soflow::ObjectiveOptions objective_options(const Config& config,
                                                         const nn::DiTConfig& network);
/// Returns the options of objective.kind = anyflow and of anyflow-on-policy's cotraining.
[[nodiscard]] soflow::AnyFlowOptions anyflow_options(const Config& config,
                                                     const nn::DiTConfig& network);
/// Returns the first frames that clips of a run are trained with.
[[nodiscard]] soflow::GivenFrames given_frames(const Config& config, const nn::DiTConfig& network);
/// Parses anyflow.rollouts ("2,4,8"). Throws InvalidArgument.
[[nodiscard]] std::vector<int> parse_rollouts(const std::string& text);
/// Returns the forward passes per clip and step of the AnyFlow stage that objective.kind names; a
/// backward pass counts as two.
[[nodiscard]] double anyflow_passes(const Config& config, const nn::DiTConfig& network);
/// Returns the options of Trainer: [train], [optim] and [ema].
[[nodiscard]] TrainerOptions trainer_options(const Config& config);

}  // namespace eflow::trainer
