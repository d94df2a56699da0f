#pragma once
// AnyFlow's forward flow-map training: the network's mean velocity from t to r is regressed to what
// the velocity and its own derivative along the path say it must be.  [arXiv 2605.13724, stage 1]
//
//   F^ = (F - (1 - g) sg F_null) / g,   y = v - (t - r) dF^/dt,   minimise |F^ - sg y|^2
//
// As against solution consistency the difference is central, along the unguided velocity, and what
// guidance subtracts is the network without a condition at the same (t, r).

#include "eflow/soflow/batch.hpp"
#include "eflow/soflow/loss_groups.hpp"
#include "eflow/soflow/times.hpp"

namespace eflow::soflow {

struct AnyFlowOptions {
  double guidance = 3;      ///< g; 1: none, and no forward for it
  double step = 0.005;      ///< h of the difference, less where t is nearer to 0 or 1
  double shift = 5;         ///< of both times
  double label_drop = 0.1;  ///< chance that a sample trains untold, without guidance
  std::int64_t null_label = -1;
  bool causal = false;  ///< chunk by chunk, each after the clean ones before it
  std::uint64_t seed = 0;

  [[nodiscard]] RandomKey key(std::uint32_t purpose, std::int64_t step_now) const {
    return {.seed = seed, .purpose = purpose, .step = static_cast<std::uint64_t>(step_now)};
  }
};

/// Which jump a sample trains, by its global index: every second is at a point (r = t), every fourth
/// goes to the data (r = 0), the others anywhere.
enum class AnyFlowJump { kPoint, kToData, kFree };
[[nodiscard]] AnyFlowJump anyflow_jump(std::int64_t index);

/// t sqrt(1 - t), divided by its mean over the times n / 1000. [time weight "beta08"]
[[nodiscard]] double anyflow_weight(double t);

/// One step's loss. Samples that jump are weighted to the level of those at a point: by
/// sg[mean of the point losses / (loss + 1e-5)], the mean over this call's samples. Points are
/// recorded as kFlowMatching, jumps as kConsistency with mse = mean_e |F^ - y|^2.
class AnyFlowObjective {
 public:
  explicit AnyFlowObjective(const AnyFlowOptions& options) : options_(options) {}

  /// step: finished steps. batch_total: samples of the whole step; 0: those of this batch.
  [[nodiscard]] StepLoss operator()(const Network& network, const Batch& batch, std::int64_t step,
                                    std::int64_t batch_total = 0) const;
  [[nodiscard]] const AnyFlowOptions& options() const { return options_; }

 private:
  AnyFlowOptions options_;
};

}  // namespace eflow::soflow
