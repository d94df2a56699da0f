#pragma once
// The two losses of SoFlow, one value a sample. [arXiv 2603.27086, Eq. 3 and 4; SoFlow models.py]

#include "eflow/soflow/network.hpp"

namespace eflow::soflow {

/// w = sg[(mse + eps)^-p]: samples count about equally, however large their errors.
struct AdaptiveWeight {
  double p = 1, eps = 0.01;
};

/// Each [B].
struct SampleLosses {
  Tensor loss;  ///< to be differentiated
  Tensor mse;   ///< the raw error, mean over the elements of a sample; outside the graph
};

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

}  // namespace eflow::soflow
