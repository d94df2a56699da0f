#pragma once
// Loss groups: which loss each sample of a run trains, and the per-sample record of a step.

#include <cstdint>
#include <vector>

#include "eflow/core/base/export.hpp"
#include "eflow/core/tensor/tensor.hpp"

EFLOW_EXPORT_BEGIN

namespace eflow::soflow {

/// The loss that a sample trains.
enum class LossGroup {
  kFlowMatching,         ///< FM: the velocity of the full network, F(x_t, t, t) [Eq. 3]
  kSolutionConsistency,  ///< SCM: the solutions from t and from l agree at s [Eq. 4]
  kMeanVelocityAdditivity,  ///< MVA: one long jump equals two short jumps of the averaged weights [Eq. 12]
  kWeakPath,  ///< FM of the weak path, for FM samples that drop their middle blocks [Eq. 10]
  kDistributionMatching,  ///< distribution matching (AnyFlow stage 2); only OnPolicyObjective records it
};

/// Returns the shortest pattern of groups, at most 64 long, with these shares of FM and MVA and the
/// rest SCM, each spread evenly. Sample i of the run is in group pattern[i mod size]. Throws
/// InvalidArgument unless both shares and their sum are in [0, 1].
[[nodiscard]] std::vector<LossGroup> loss_pattern(double fm_share, double mva_share = 0);

/// Returns the share of `group` in a pattern.
[[nodiscard]] double share_of(const std::vector<LossGroup>& pattern, LossGroup group);

/// One sample's result of a step, on the host: for logs, and for naming the sample whose loss is
/// not finite.
struct SampleRecord {
  std::int64_t index = 0;
  LossGroup group = LossGroup::kFlowMatching;
  double loss = 0;    ///< weighted
  double mse = 0;     ///< unweighted: mean_e |F - v|^2, or mean_e dq^2 for SCM
  double target = 0;  ///< SCM: mean_e v_tgt^2, the scale of mse
};

/// Results of one group's samples that are still on the device.
struct UnreadLosses {
  LossGroup group = LossGroup::kFlowMatching;
  std::vector<std::int64_t> indices = {};
  Tensor loss = {}, mse = {}, target = {};  ///< [B]; without gradients; target may be undefined
};

struct StepLoss {
  Tensor total = {};                       ///< scalar: sum of the samples' losses / batch_total
  std::vector<UnreadLosses> unread = {};   ///< in the order of samples()
  std::vector<SampleRecord> records = {};  ///< of results that the host had to know before
  /// The samples' results, copied to the host. Waits for the device, so call it once all work of a
  /// step is issued.
  [[nodiscard]] std::vector<SampleRecord> samples() const;
};

/// Mean over the samples of one group; NaN if the group is empty.
[[nodiscard]] double mean_loss(const std::vector<SampleRecord>& samples, LossGroup group);
[[nodiscard]] double mean_mse(const std::vector<SampleRecord>& samples, LossGroup group);

/// Returns rms(dq) / rms(v_tgt) over the SCM samples; NaN if there are none. An untrained network
/// (F = 0) has 1 and training lowers it; rounding in (F_t - F_l) / r raises it.
[[nodiscard]] double drift_ratio(const std::vector<SampleRecord>& samples);

}  // namespace eflow::soflow

EFLOW_EXPORT_END
