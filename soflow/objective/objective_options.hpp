#pragma once
// Options of EFlowObjective. The defaults are plain SoFlow: flow matching and solution consistency,
// no guidance, all tokens.

#include "eflow/core/base/export.hpp"
#include "eflow/core/tensor/random_key.hpp"
#include "eflow/nn/layers/grid.hpp"
#include "eflow/soflow/objective/given_frames.hpp"
#include "eflow/soflow/objective/guidance.hpp"
#include "eflow/soflow/objective/loss_groups.hpp"
#include "eflow/soflow/objective/losses.hpp"
#include "eflow/soflow/objective/times.hpp"
#include "eflow/soflow/objective/token_drop.hpp"

EFLOW_EXPORT_BEGIN

namespace eflow::soflow {

/// Mean-velocity additivity (MVA). [arXiv 2603.27086, §3.3, Eq. 12]
struct MvaOptions {
  std::vector<LossGroup> pattern = {};  ///< replaces ObjectiveOptions::pattern; empty disables MVA
  std::int64_t first_step = 0;          ///< first step with MVA, in finished steps
  JumpLaw jumps = {};
  MvaWeight weight = MvaWeight::kVelocity;
};

struct ObjectiveOptions {
  std::vector<LossGroup> pattern = loss_pattern(0.75);  ///< group of sample i: pattern[i mod size]
  AdaptiveWeight weight = {};
  double scm_scale = 0.5;  ///< 0.5: SoFlow's released code; 1: Eq. 4 as printed
  TimeLaws times = TimeLaws::eflow();
  RatioSchedule ratio = {};
  GuidanceOptions guidance = {};
  MvaOptions mva = {};
  TokenDrop drop = {};
  DropSchedule drop_schedule = {};
  GivenFrames given = {};
  nn::Grid3 grid = {};          ///< tokens of a clip; required for token dropping
  nn::Patch patch = {0, 0, 0};  ///< derives the grid from each batch's clips; empty: use `grid`
  std::uint64_t seed = 0;

  /// Returns the loss groups of a step. Here and below, step counts finished steps.
  [[nodiscard]] const std::vector<LossGroup>& pattern_at(std::int64_t step) const {
    const bool has_mva = !mva.pattern.empty() && step >= mva.first_step;
    return has_mva ? mva.pattern : pattern;
  }
  /// True if tokens are dropped in this step.
  [[nodiscard]] bool drops_at(std::int64_t step) const {
    return drop.kind != DropKind::kNone && drop_schedule.drops_at(step);
  }
  /// Number of tokens per clip in the middle blocks in this step.
  [[nodiscard]] std::int64_t kept_at(std::int64_t step) const {
    return drops_at(step) ? kept_count(drop, grid) : grid.count();
  }
  /// Token grid of clips [B, C, T, H, W].
  [[nodiscard]] nn::Grid3 grid_of(const Tensor& clips) const {
    if (patch.count() == 0) return grid;
    return nn::token_grid(clips.size(2), clips.size(3), clips.size(4), patch);
  }
  [[nodiscard]] RandomKey key(std::uint32_t purpose, std::int64_t step) const {
    return {.seed = seed, .purpose = purpose, .step = static_cast<std::uint64_t>(step)};
  }
};

}  // namespace eflow::soflow

EFLOW_EXPORT_END
