#pragma once
// What an EFlowObjective minimises, and everything that it may be told to do otherwise. The defaults
// are plain SoFlow: flow matching and solution consistency, no guidance, all tokens.

#include "eflow/nn/patch.hpp"
#include "eflow/soflow/guidance.hpp"
#include "eflow/soflow/loss_groups.hpp"
#include "eflow/soflow/losses.hpp"
#include "eflow/soflow/times.hpp"
#include "eflow/soflow/token_drop.hpp"

namespace eflow::soflow {

/// Mean-velocity additivity. [§3.3]
struct AdditivityOptions {
  std::vector<LossGroup> pattern;  ///< takes the place of the first pattern; empty: no additivity
  std::int64_t first_step = 0;     ///< from when on, in finished steps
  JumpLaw jumps;
  AdditivityWeight weight = AdditivityWeight::kVelocity;
};

struct ObjectiveOptions {
  std::vector<LossGroup> pattern = loss_pattern(0.75);
  AdaptiveWeight weight;
  double scm_scale = 0.5;  ///< 0.5: SoFlow's released code, 1: Eq. 4 as printed
  TimeLaws times = TimeLaws::eflow();
  RatioSchedule ratio;
  GuidanceOptions guidance;
  AdditivityOptions additivity;
  TokenDrop drop;
  DropSchedule drop_schedule;
  nn::Grid3 grid;               ///< tokens of a clip; needed for dropping them
  nn::Patch patch = {0, 0, 0};  ///< tells the grid of each batch's clips; empty: all have `grid`
  std::uint64_t seed = 0;

  /// The groups of samples in a step. step: finished steps, here and below.
  [[nodiscard]] const std::vector<LossGroup>& pattern_at(std::int64_t step) const {
    const bool additive = !additivity.pattern.empty() && step >= additivity.first_step;
    return additive ? additivity.pattern : pattern;
  }
  [[nodiscard]] bool drops_at(std::int64_t step) const {
    return drop.kind != DropKind::kNone && drop_schedule.drops_at(step);
  }
  /// Tokens of a clip that the middle sees in a step.
  [[nodiscard]] std::int64_t kept_at(std::int64_t step) const {
    return drops_at(step) ? kept_count(drop, grid) : grid.count();
  }
  /// Tokens of the clips [B, C, T, H, W] of a batch.
  [[nodiscard]] nn::Grid3 grid_of(const Tensor& clips) const {
    if (patch.count() == 0) return grid;
    return nn::token_grid(clips.size(2), clips.size(3), clips.size(4), patch);
  }
  [[nodiscard]] RandomKey key(std::uint32_t purpose, std::int64_t step) const {
    return {.seed = seed, .purpose = purpose, .step = static_cast<std::uint64_t>(step)};
  }
};

}  // namespace eflow::soflow
