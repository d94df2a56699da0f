#pragma once
// The three losses, one value per sample: flow matching (FM), solution consistency (SCM) and
// mean-velocity additivity (MVA). [arXiv 2603.27086, Eq. 3, 4 and 12; SoFlow models.py]
//
// F is the network's mean velocity and f(x, t, s) = x + (s - t) F its solution (docs/notation.md).

#include <array>
#include <string_view>

#include "eflow/core/base/export.hpp"
#include "eflow/soflow/objective/network.hpp"

EFLOW_EXPORT_BEGIN

namespace eflow::soflow {

/// Adaptive weight w = sg[(mse + eps)^-p]: for p = 1, samples count about equally whatever their
/// error. [EFlow B.2]
struct AdaptiveWeight {
  double p = 1, eps = 0.01;
};

/// Each [B].
struct SampleLosses {
  Tensor loss = {};    ///< differentiable
  Tensor mse = {};     ///< unweighted error, mean over a sample's elements; not differentiable
  Tensor target = {};  ///< SCM: mean_e v_tgt^2, the scale of mse; otherwise undefined
};

/// Returns mean_e x^2 of each sample, not differentiable. x [B, ...] -> [B]
[[nodiscard]] Tensor mean_square(const Tensor& x);

/// FM: w mean_e |F - target|^2, w from the same error. [Eq. 3]
/// F = F(x_t, t, t) and target, [B, ...]; no gradient flows to the target.
[[nodiscard]] SampleLosses fm_loss(const Tensor& F, const Tensor& target,
                                   const AdaptiveWeight& weight);

/// Returns the drift of the solution between t and l, computed from mean velocities:
///   dq = (f_t - f_l) / (t - l) = v - F_l - (t - s)/(t - l) (F_t - F_l).
/// x_t and x_l cancel, so no difference of nearly equal states is divided by t - l.
/// v leads from x_t to x_l; F_t = F(x_t, t, s) and F_l = F(x_l, l, s), all [B, ...].
[[nodiscard]] Tensor solution_drift(const Tensor& v, const Tensor& F_t, const Tensor& F_l,
                                    const PerSample& t, const PerSample& l, const PerSample& s);

/// SCM: scale w mean_e |F_t - sg[F_t + dq]|^2, w from mse = mean_e dq^2. [Eq. 4] Its gradient is -2
/// scale w dq / E: that of Eq. 4 as printed for scale 1, that of SoFlow's released code for scale
/// 0.5.
[[nodiscard]] SampleLosses scm_loss(const Tensor& F_t, const Tensor& dq,
                                    const AdaptiveWeight& weight, double scale);

/// Returns the MVA target: the mean velocity from t to s of a first leg y = F(x_t, t, l) and a
/// second leg z = F(x_l, l, s), ((t - l) y + (l - s) z) / (t - s) = (x_t - f*) / (t - s). [Eq. 12]
[[nodiscard]] Tensor mva_target(const Tensor& y, const Tensor& z, const PerSample& t,
                                const PerSample& l, const PerSample& s);

/// Weighting of the MVA loss.
enum class MvaWeight {
  kVelocity,  ///< adaptively weighted mean_e |F - F_star|^2, as in FM
  kSolution,  ///< unweighted mean_e |f - f*|^2, Eq. 12 as printed
};
/// Names by enumerator value.
inline constexpr std::array<std::string_view, 2> kMvaWeightNames = {"velocity", "solution"};
[[nodiscard]] std::string_view name_of(MvaWeight kind);
/// Throws InvalidArgument and lists the known names.
[[nodiscard]] MvaWeight mva_weight(std::string_view name);

/// MVA: F = F(x_t, t, s) against F_star = mva_target(...), to which no gradient flows. [Eq. 12]
/// mse = mean_e |F - F_star|^2 for both weightings.
[[nodiscard]] SampleLosses mva_loss(const Tensor& F, const Tensor& F_star, const PerSample& t,
                                    const PerSample& s, MvaWeight kind,
                                    const AdaptiveWeight& weight);

}  // namespace eflow::soflow

EFLOW_EXPORT_END
