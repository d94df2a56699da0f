#pragma once
// AnyFlow's forward flow-map training (stage 1). The network's mean velocity from t to r is
// regressed to a target made of the path's velocity and the network's own time derivative along the
// path. [arXiv 2605.13724, stage 1]
//
//   F_hat = (F - (1 - g) sg F_null) / g,   y = v - (t - r) dF_hat/dt,   minimise |F_hat - sg y|^2
//
// Differences from solution consistency (SCM, losses.hpp): the time derivative is a central
// difference, it follows the unguided velocity, and guidance subtracts the unconditioned network at
// the same (t, r).

#include <optional>
#include <vector>

#include "eflow/core/base/export.hpp"
#include "eflow/core/tensor/random_key.hpp"
#include "eflow/soflow/objective/batch.hpp"
#include "eflow/soflow/objective/given_frames.hpp"
#include "eflow/soflow/objective/loss_groups.hpp"
#include "eflow/soflow/objective/times.hpp"

EFLOW_EXPORT_BEGIN

namespace eflow::soflow {

struct AnyFlowOptions {
  double guidance = 3;           ///< g; 1 disables guidance and skips its forward pass
  double step = 0.005;           ///< h of the central difference; clamped to [0, 1] at the ends
  double shift = 5;              ///< S_shift is applied to both times
  double label_drop = 0.1;       ///< probability that a sample trains unconditioned, unguided
  std::int64_t null_label = -1;  ///< label id that stands for "no label"
  bool causal = false;           ///< chunk-causal: each chunk sees the clean chunks before it
  GivenFrames given = {};        ///< not with `causal`, where earlier chunks are given
  std::uint64_t seed = 0;

  [[nodiscard]] RandomKey key(std::uint32_t purpose, std::int64_t step_now) const {
    return {.seed = seed, .purpose = purpose, .step = static_cast<std::uint64_t>(step_now)};
  }
};

/// The interval (t, r) that a sample trains. It depends on the sample's global index: 2 of 4
/// samples train a point (r = t), 1 of 4 the jump to the data (r = 0), 1 of 4 an arbitrary
/// interval.
enum class AnyFlowJump { kPoint, kToData, kFree };
/// Returns the interval of the sample with this global index.
[[nodiscard]] AnyFlowJump anyflow_jump(std::int64_t index);

/// Returns t sqrt(1 - t), divided by its mean over the grid n / 1000. [AnyFlow, time weight
/// "beta08"]
[[nodiscard]] double anyflow_weight(double t);

/// The stage 1 loss. Jumps are weighted to the level of the points: by sg[L / (loss + 1e-5)], where
/// L is the mean point loss over all samples of the step. Records points as kFlowMatching and jumps
/// as kSolutionConsistency, both with mse = mean_e |F_hat - y|^2.
class AnyFlowObjective {
 public:
  explicit AnyFlowObjective(const AnyFlowOptions& options) : options_(options) {}

  /// Returns the loss of one batch. step: finished steps, selects the random numbers. batch_total:
  /// samples of the whole step over all micro-batches and ranks; 0 means this batch is the step.
  /// level: L, as level() returns it for all micro-batches; without it, L is the mean over this
  /// batch, which must then be the whole step. Throws ShapeError if the batch is inconsistent.
  [[nodiscard]] StepLoss operator()(const Network& network, const Batch& batch, std::int64_t step,
                                    std::int64_t batch_total = 0,
                                    std::optional<double> level = {}) const;
  /// Returns L of a step that is divided into `parts`, by a pass over the points that is not
  /// recorded by autograd; nothing if no sample is a point. Throws ShapeError.
  [[nodiscard]] std::optional<double> level(const Network& network, const std::vector<Batch>& parts,
                                            std::int64_t step) const;
  [[nodiscard]] const AnyFlowOptions& options() const { return options_; }

 private:
  AnyFlowOptions options_;
};

}  // namespace eflow::soflow

EFLOW_EXPORT_END
