#pragma once
// Which loss a sample of the run trains, and what a step reports of its samples.

#include <cstdint>
#include <vector>

#include "eflow/core/tensor.hpp"

namespace eflow::soflow {

enum class LossGroup {
  kFlowMatching,  ///< velocities of the whole network, F(x_t, t, t)
  kConsistency,   ///< solutions started at t and at l end in the same place
  kAdditivity,    ///< one long step is two short ones of the averaged weights
  kWeakPath,      ///< velocities of the weak path; flow-matching samples that drop their middle
  kMatching,      ///< the student's own samples, moved by the difference of two scores
};

/// The shortest pattern of groups, at most 64 long, with these shares of flow matching and
/// additivity, the rest consistency, spread evenly. Sample i of the run is in group
/// pattern[i mod size]. Throws InvalidArgument for shares outside [0, 1] or beyond 1 together.
[[nodiscard]] std::vector<LossGroup> loss_pattern(double fm_share, double mva_share = 0);

/// Share of a pattern.
[[nodiscard]] double share_of(const std::vector<LossGroup>& pattern, LossGroup group);

/// What is known of each sample after a step, on the host: for logs, and for naming the culprit of
/// a loss that is not finite.
struct SampleRecord {
  std::int64_t index = 0;
  LossGroup group = LossGroup::kFlowMatching;
  double loss = 0;    ///< weighted
  double mse = 0;     ///< raw: mean_e |F - v|^2, or mean_e dq^2
  double target = 0;  ///< consistency: mean_e v_tgt^2, what mse is to be compared with
};

struct StepLoss {
  Tensor total;  ///< scalar: sum of all samples' losses / batch_total
  std::vector<SampleRecord> samples;
};

/// Means over the samples of one group; NaN where there are none.
[[nodiscard]] double mean_loss(const std::vector<SampleRecord>& samples, LossGroup group);
[[nodiscard]] double mean_mse(const std::vector<SampleRecord>& samples, LossGroup group);

/// rms(dq) / rms(v_tgt) over the consistency samples; NaN where there are none. 1 for a network that
/// knows nothing, less for one that learns; rounding in (F_t - F_l) / r raises it.
[[nodiscard]] double drift_ratio(const std::vector<SampleRecord>& samples);

}  // namespace eflow::soflow
