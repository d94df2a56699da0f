#pragma once
// What velocity a sample is trained towards: the path's own, or one pushed away from the
// unconditional prediction and mixed with the model's own. [SoFlow models.py]
//
//   v_tgt = m (w v + (1 - w) v_uncond) + (1 - m) sg F(x_t, t, t, c)

#include "eflow/soflow/network.hpp"

namespace eflow::soflow {

struct GuidanceOptions {
  double scale = 1;       ///< w; 1: no guidance, and no unconditional forward
  double mix = 1;         ///< m; 1: no velocity mix, and no forward for it
  double decay_time = 1;  ///< above it w falls to 1 at t = 1 (SoFlow: 0.8); 1: never
  double label_drop = 0;  ///< chance that a sample is trained without its condition, towards v
  std::int64_t null_label =
      -1;  ///< the id that says "no label"; needed for label_drop of labelled samples
};

/// 1 below decay_time, then 1 - exp(-0.025 u / (1 - u)), u = (1 - t) / (1 - decay_time).
[[nodiscard]] double guidance_decay(double t, double decay_time);

/// The factors of the formula above for each sample.
struct TargetFactors {
  PerSample path, unconditional, own;
  /// dropped[i]: sample i is trained towards v alone.
  TargetFactors(const GuidanceOptions& options, const PerSample& t,
                const std::vector<bool>& dropped);
  [[nodiscard]] bool needs_unconditional() const;
  [[nodiscard]] bool needs_own() const;
};

/// v_tgt; predictions that their factors do not need may be undefined.
[[nodiscard]] Tensor target_velocity(const TargetFactors& factors, const Tensor& v,
                                     const Tensor& unconditional, const Tensor& own);

}  // namespace eflow::soflow
