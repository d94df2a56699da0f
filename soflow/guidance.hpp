#pragma once
// What velocity a sample is trained towards: the path's own, or one pushed away from the
// unconditional prediction and mixed with the model's own. [SoFlow models.py]
//
//   v_tgt = m (w v + (1 - w) v_uncond) + (1 - m) sg F(x_t, t, t, c)      [arXiv 2603.27086, Eq. 11]

#include <string_view>

#include "eflow/soflow/network.hpp"

namespace eflow::soflow {

/// Where v_uncond comes from.
enum class Unconditional {
  kNullCondition,  ///< the whole network, told "no condition" [SoFlow]
  kWeakPath,  ///< encoder, [MASK] and decoder, told nothing: path-drop guidance [§3.2, Eq. 10]
};

/// "null", "weak".
[[nodiscard]] std::string_view name_of(Unconditional kind);
/// Throws InvalidArgument listing the known names.
[[nodiscard]] Unconditional unconditional_kind(std::string_view name);

struct GuidanceOptions {
  Unconditional kind = Unconditional::kNullCondition;
  double scale = 1;         ///< w; 1: no guidance, and no unconditional forward
  double scale_max = 0;     ///< above `scale`: w is drawn from U(scale, scale_max)
  bool per_sample = false;  ///< a w for each sample instead of one for the step
  bool embed = false;       ///< tell the network w; the unconditional pass is told 0
  double mix = 1;           ///< m; 1: no velocity mix, and no forward for it
  double decay_time = 1;    ///< above it w falls to 1 at t = 1 (SoFlow: 0.8); 1: never
  double label_drop = 0;    ///< kNullCondition: chance that a sample trains towards v, untold
  double path_drop = 0;     ///< kWeakPath: chance that a flow-matching sample trains the weak path
  std::int64_t null_label = -1;  ///< the id that says "no label"; needed where samples have labels
};

/// w of each sample, by the key's step and, where per_sample, the sample's id.
[[nodiscard]] PerSample draw_scales(const GuidanceOptions& options, const RandomKey& key,
                                    const std::vector<std::int64_t>& ids);

/// For each sample: true with this chance.
[[nodiscard]] std::vector<bool> draw_dropped(double chance, const RandomKey& key,
                                             const std::vector<std::int64_t>& ids);

/// 1 below decay_time, then 1 - exp(-0.025 u / (1 - u)), u = (1 - t) / (1 - decay_time).
[[nodiscard]] double guidance_decay(double t, double decay_time);

/// The factors of the formula above for each sample.
struct TargetFactors {
  PerSample path, unconditional, own;
  /// dropped[i]: sample i is trained towards v alone.
  TargetFactors(const GuidanceOptions& options, const PerSample& scales, const PerSample& t,
                const std::vector<bool>& dropped);
  [[nodiscard]] bool needs_unconditional() const;
  [[nodiscard]] bool needs_own() const;
};

/// v_tgt; predictions that their factors do not need may be undefined.
[[nodiscard]] Tensor target_velocity(const TargetFactors& factors, const Tensor& v,
                                     const Tensor& unconditional, const Tensor& own);

}  // namespace eflow::soflow
