#include "eflow/soflow/objective/group_losses.hpp"

#include "eflow/core/tensor/ops.hpp"
#include "eflow/soflow/objective/interpolant.hpp"
#include "eflow/soflow/objective/purpose.hpp"

namespace eflow::soflow {
namespace {

/// Clamps t to at least kTimeMargin, as ordered_times() does.
PerSample times_alone(PerSample t) {
  const PerSample data(t.size(), 0);
  return ordered_times(std::move(t), data, 1).t;
}

LossOf flow_matching(const ObjectiveOptions& options, const GroupSamples& samples) {
  const TargetFactors factors = samples.context.factors(samples.times.t);  // w, m
  return [options, factors, v = samples.v, v_uncond = samples.v_uncond](const Tensor& F) {
    const Tensor v_tgt = target_velocity(factors, v, v_uncond, F.detach());  // Eq. 11
    return fm_loss(F, v_tgt, options.weight);                                // Eq. 3
  };
}

LossOf solution_consistency(const ObjectiveOptions& options, const Network& network,
                            const GroupSamples& samples) {
  const NoGrad off;  // sg, theta
  const SampleContext& context = samples.context;
  const Tensor& x_t = samples.x_t;
  const auto [t, l, s] = samples.times;
  const TargetFactors factors = context.factors(t);  // w, m
  const Tensor F_v = factors.needs_own() ? context.full(network, x_t, t, t) : Tensor();
  const Tensor v_tgt = target_velocity(factors, samples.v, samples.v_uncond, F_v);  // Eq. 11
  const Tensor x_l = advance(x_t, v_tgt, t, l);                                     // Eq. 4
  const Tensor F_l = context.full(network, x_l, l, s);
  return [options, t = t, l = l, s = s, v_tgt, F_l](const Tensor& F_t) {
    const Tensor dq = solution_drift(v_tgt, F_t.detach(), F_l, t, l, s);  // (f_t - f_l) / (t - l)
    SampleLosses losses = scm_loss(F_t, dq, options.weight, options.scm_scale);  // Eq. 4
    losses.target = mean_square(v_tgt);
    return losses;
  };
}

LossOf mean_velocity_additivity(const ObjectiveOptions& options, const Network& average,
                                const GroupSamples& samples) {
  const NoGrad off;  // sg, theta-
  const SampleContext& context = samples.context;
  const Tensor& x_t = samples.x_t;
  const auto [t, l, s] = samples.times;
  const Tensor y = context.full(average, x_t, t, l);
  const Tensor x_l = advance(x_t, y, t, l);  // f(x_t, t, l)
  const Tensor z = context.full(average, x_l, l, s);
  const Tensor F_star = mva_target(y, z, t, l, s);  // (x_t - f*) / (t - s)
  return [options, t = t, s = s, F_star](const Tensor& F) {
    return mva_loss(F, F_star, t, s, options.mva.weight, options.weight);  // Eq. 12
  };
}

}  // namespace

Times draw_group_times(const ObjectiveOptions& options, LossGroup group,
                       const SampleContext& context, std::int64_t step) {
  if (group == LossGroup::kMeanVelocityAdditivity) return context.jumps();  // s < l < t
  if (group == LossGroup::kSolutionConsistency) {
    return ordered_times(context.draw(options.times.scm_t, kTimeT),  // s < l < t
                         context.draw(options.times.scm_s, kTimeS),
                         options.ratio.at(step));  // r(k)
  }
  const PerSample t = times_alone(context.draw(options.times.fm_t, kTimeT));  // t ~ p_t
  return {t, t, t};
}

LossOf loss_of(const ObjectiveOptions& options, const Networks& networks, LossGroup group,
               const GroupSamples& samples) {
  if (group == LossGroup::kMeanVelocityAdditivity)
    return mean_velocity_additivity(options, networks.average, samples);
  if (group == LossGroup::kSolutionConsistency)
    return solution_consistency(options, networks.online, samples);
  return flow_matching(options, samples);
}

}  // namespace eflow::soflow
