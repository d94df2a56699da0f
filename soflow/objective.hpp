#pragma once
// SoFlowObjective: one training step's loss. Some samples learn the velocity at a point (flow
// matching), the others learn that solutions started at t and at l end in the same place (solution
// consistency). [arXiv 2603.27086, Alg. 1]

#include "eflow/soflow/batch.hpp"
#include "eflow/soflow/guidance.hpp"
#include "eflow/soflow/losses.hpp"
#include "eflow/soflow/times.hpp"

namespace eflow::soflow {

enum class LossGroup { kFlowMatching, kConsistency };

/// The shortest pattern of groups, at most 64 long, with this share of flow matching, spread
/// evenly. Sample i of the run is in group pattern[i mod size]. Throws InvalidArgument for a share
/// outside [0, 1].
[[nodiscard]] std::vector<LossGroup> loss_pattern(double fm_share);

struct ObjectiveOptions {
  std::vector<LossGroup> pattern = loss_pattern(0.75);
  AdaptiveWeight weight;
  double scm_scale = 0.5;  ///< 0.5: SoFlow's released code, 1: Eq. 4 as printed
  TimeLaws times = TimeLaws::eflow();
  RatioSchedule ratio;
  GuidanceOptions guidance;
  std::uint64_t seed = 0;
};

/// What is known of each sample after a step, on the host: for logs, and for naming the culprit of
/// a loss that is not finite.
struct SampleRecord {
  std::int64_t index = 0;
  LossGroup group = LossGroup::kFlowMatching;
  double loss = 0;  ///< weighted
  double mse = 0;   ///< raw: mean_e |F - v|^2, or mean_e dq^2
};

struct StepLoss {
  Tensor total;  ///< scalar: sum of all samples' losses / batch_total
  std::vector<SampleRecord> samples;
};

/// Means over the samples of one group; NaN where there are none.
[[nodiscard]] double mean_loss(const std::vector<SampleRecord>& samples, LossGroup group);
[[nodiscard]] double mean_mse(const std::vector<SampleRecord>& samples, LossGroup group);

class SoFlowObjective {
 public:
  explicit SoFlowObjective(ObjectiveOptions options) : options_(std::move(options)) {}

  /// step: finished steps, for r(k) and the random numbers. batch_total: samples of the whole step
  /// over all micro-batches and ranks; 0: those of this batch. Throws ShapeError.
  [[nodiscard]] StepLoss operator()(const Network& network, const Batch& batch, std::int64_t step,
                                    std::int64_t batch_total = 0) const;

  /// The two halves of the step, for batches that are all of one group.
  [[nodiscard]] SampleLosses flow_matching(const Network& network, const Batch& batch,
                                           std::int64_t step) const;
  [[nodiscard]] SampleLosses consistency(const Network& network, const Batch& batch,
                                         std::int64_t step) const;

  [[nodiscard]] const ObjectiveOptions& options() const { return options_; }

 private:
  [[nodiscard]] RandomKey key(std::uint32_t purpose, std::int64_t step) const;
  [[nodiscard]] std::vector<bool> draw_dropped(const Batch& batch, std::int64_t step) const;

  ObjectiveOptions options_;
};

/// The raw, unguided flow-matching error mean_e |F(x_t, t, t) - v|^2 of each sample, at times and
/// noise that depend on `seed` and the batch's indices alone: the held-out error of a run. Nothing
/// is recorded.
[[nodiscard]] PerSample held_out_error(const Network& network, const Batch& batch,
                                       const LogitNormal& law, std::uint64_t seed);

}  // namespace eflow::soflow
