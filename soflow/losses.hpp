#pragma once
// The three losses, one value a sample. [arXiv 2603.27086, Eq. 3, 4 and 12; SoFlow models.py]

#include <string_view>

#include "eflow/soflow/network.hpp"

namespace eflow::soflow {

/// w = sg[(mse + eps)^-p]: samples count about equally, however large their errors.
struct AdaptiveWeight {
  double p = 1, eps = 0.01;
};

/// Each [B].
struct SampleLosses {
  Tensor loss;         ///< to be differentiated
  Tensor mse;          ///< the raw error, mean over the elements of a sample; outside the graph
  Tensor target = {};  ///< consistency_loss: mean_e v_tgt^2, to compare mse with; else undefined
};

/// mean_e x^2 of each sample, outside the graph. x [B, ...] -> [B]
[[nodiscard]] Tensor mean_square(const Tensor& x);

/// w mean_e |F - v|^2, w from itself. [Eq. 3]
/// prediction F(x_t, t, t) and target v, [B, ...]; no gradient to the target.
[[nodiscard]] SampleLosses flow_matching_loss(const Tensor& prediction, const Tensor& target,
                                              const AdaptiveWeight& weight);

/// The rate at which the solution drifts between t and l, from velocities alone:
///   dq = (f_t - f_l) / (t - l) = v - F_l - (t - s)/(t - l) (F_t - F_l), as x_t and x_l cancel.
/// v the velocity that led from x_t to x_l; F_t = F(x_t, t, s), F_l = F(x_l, l, s).
[[nodiscard]] Tensor solution_drift(const Tensor& v, const Tensor& f_t, const Tensor& f_l,
                                    const PerSample& t, const PerSample& l, const PerSample& s);

/// scale w mean_e |F_t - sg[F_t + dq]|^2, w from mean_e dq^2: solution consistency. [Eq. 4]
/// Its gradient, -2 scale w dq / E, is that of Eq. 4 for scale 1 and that of the released SoFlow
/// code for 0.5; its mse is mean_e dq^2.
[[nodiscard]] SampleLosses consistency_loss(const Tensor& f_t, const Tensor& dq,
                                            const AdaptiveWeight& weight, double scale);

/// The mean velocity of going from t to l with mean velocity y and on to s with z:
/// ((t - l) y + (l - s) z) / (t - s) = (x_t - f*) / (t - s).
[[nodiscard]] Tensor joined_velocity(const Tensor& y, const Tensor& z, const PerSample& t,
                                     const PerSample& l, const PerSample& s);

/// kVelocity: the loss of flow matching towards the joined velocity; kSolution: mean_e |f - f*|^2,
/// unweighted, Eq. 12 as printed.
enum class AdditivityWeight { kVelocity, kSolution };

/// "velocity", "solution".
[[nodiscard]] std::string_view name_of(AdditivityWeight kind);
/// Throws InvalidArgument listing the known names.
[[nodiscard]] AdditivityWeight additivity_weight(std::string_view name);

/// Mean-velocity additivity: prediction F(x_t, t, s) against `joined`, no gradient to it. [Eq. 12]
/// Its mse is mean_e |F - joined|^2.
[[nodiscard]] SampleLosses additivity_loss(const Tensor& prediction, const Tensor& joined,
                                           const PerSample& t, const PerSample& s,
                                           AdditivityWeight kind, const AdaptiveWeight& weight);

}  // namespace eflow::soflow
