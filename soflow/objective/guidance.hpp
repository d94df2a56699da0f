#pragma once
// The target velocity of a sample: the path's velocity, pushed away from the unconditional
// prediction (guidance) and mixed with the model's own prediction (velocity mix). [arXiv
// 2603.27086, Eq. 11; SoFlow models.py]
//
//   v_tgt = m (w v + (1 - w) v_uncond) + (1 - m) sg F(x_t, t, t, c)

#include <array>
#include <string_view>

#include "eflow/core/base/export.hpp"
#include "eflow/core/tensor/random_key.hpp"
#include "eflow/soflow/objective/network.hpp"

EFLOW_EXPORT_BEGIN

namespace eflow::soflow {

/// The source of v_uncond.
enum class Unconditional {
  kNullCondition,  ///< the full network with the null condition [SoFlow]
  kWeakPath,       ///< the weak path: encoder, [MASK], decoder (path-drop guidance, PDG) [Eq. 10]
};
/// Names by enumerator value.
inline constexpr std::array<std::string_view, 2> kUnconditionalNames = {"null", "weak"};
[[nodiscard]] std::string_view name_of(Unconditional kind);
/// Throws InvalidArgument and lists the known names.
[[nodiscard]] Unconditional unconditional_kind(std::string_view name);

struct GuidanceOptions {
  Unconditional kind = Unconditional::kNullCondition;
  double scale = 1;         ///< w; 1 disables guidance and skips its forward pass
  double scale_max = 0;     ///< if above `scale`, w ~ U(scale, scale_max)
  bool per_sample = false;  ///< draw w per sample instead of per step
  bool embed = false;       ///< pass w to the network; the unconditional pass gets 0
  double mix = 1;           ///< m; 1 disables the velocity mix and skips its forward pass
  double decay_time = 1;    ///< w decays to 1 between this time and t = 1 (SoFlow: 0.8); 1: never
  double label_drop = 0;    ///< kNullCondition: probability of training unconditioned, towards v
  double path_drop = 0;     ///< kWeakPath: probability that an FM sample trains the weak path
  std::int64_t null_label = -1;  ///< label id of "no label"; required if samples have labels
};

/// Returns w per sample: one draw per step, or one per sample id if per_sample is set.
[[nodiscard]] PerSample draw_scales(const GuidanceOptions& options, const RandomKey& key,
                                    const std::vector<std::int64_t>& ids);

/// Returns true for each sample with this probability, independently by id.
[[nodiscard]] std::vector<bool> draw_dropped(double chance, const RandomKey& key,
                                             const std::vector<std::int64_t>& ids);

/// Returns the factor on w - 1: 1 up to decay_time, then 1 - exp(-0.025 u / (1 - u)) with
/// u = (1 - t) / (1 - decay_time). [SoFlow]
[[nodiscard]] double guidance_decay(double t, double decay_time);

/// The coefficients of Eq. 11 per sample: of v, of v_uncond and of the model's own F.
struct TargetFactors {
  PerSample path, unconditional, own;
  /// A sample with dropped[i] is trained towards v alone.
  TargetFactors(const GuidanceOptions& options, const PerSample& scales, const PerSample& t,
                const std::vector<bool>& dropped);
  [[nodiscard]] bool needs_unconditional() const;
  [[nodiscard]] bool needs_own() const;
};

/// Returns v_tgt of Eq. 11. v, v_uncond and F = F(x_t, t, t) are [B, ...]. v_uncond and F may be
/// undefined if no factor needs them.
[[nodiscard]] Tensor target_velocity(const TargetFactors& factors, const Tensor& v,
                                     const Tensor& v_uncond, const Tensor& F);

}  // namespace eflow::soflow

EFLOW_EXPORT_END
