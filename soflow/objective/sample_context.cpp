#include "eflow/soflow/objective/sample_context.hpp"

#include "eflow/core/tensor/ops.hpp"
#include "eflow/core/tensor/random_key.hpp"
#include "eflow/soflow/objective/interpolant.hpp"
#include "eflow/soflow/objective/purpose.hpp"

namespace eflow::soflow {

PathPoint::PathPoint(const Batch& batch, const RandomKey& key, const PerSample& t) {
  const Tensor x1 =
      random_normal(batch.x0.shape(), key, batch.indices, batch.x0.dtype(), batch.x0.device());
  x_t = interpolate(batch.x0, x1, t);
  v = path_velocity(batch.x0, x1);
}

SampleContext::SampleContext(const ObjectiveOptions& options, Batch batch, std::int64_t step,
                             const std::vector<bool>& may_drop)
    : options_(options), batch_(std::move(batch)), step_(step) {
  const GuidanceOptions& guidance = options_.guidance;
  const bool uses_weak_path = guidance.kind == Unconditional::kWeakPath;
  scales_ = draw_scales(guidance, options_.key(kScale, step), batch_.indices);
  dropped_ = draw_dropped(uses_weak_path ? 0 : guidance.label_drop, options_.key(kLabelDrop, step),
                          batch_.indices);
  for (std::size_t i = 0; i < dropped_.size(); ++i) dropped_[i] = dropped_[i] && may_drop[i];
  full_ = condition_of(batch_, dropped_, guidance.null_label);
  unconditional_ =
      condition_of(batch_, std::vector<bool>(batch_.size(), true), guidance.null_label);
  const RandomKey given = options_.key(kGivenFrames, step);
  give_frames(options_.given, given, batch_, &full_);
  give_frames(options_.given, given, batch_, &unconditional_);
  if (options_.drops_at(step)) {
    full_.kept = draw_kept(options_.drop, options_.grid_of(batch_.x0),
                           options_.key(kTokenDrop, step), batch_.indices, batch_.x0.device());
    unconditional_.kept = full_.kept;
  }
  if (guidance.embed) {
    PerSample w = scales_;
    for (std::size_t i = 0; i < w.size(); ++i) w[i] = dropped_[i] ? 0 : w[i];
    full_.guidance = as_times(w, batch_.x0);
  }
  if (uses_weak_path) {
    unconditional_.path = nn::Path::kWeak;
    unconditional_.kept = Tensor();  // the weak path has no middle, so it is always dense
  }
}

Tensor SampleContext::full(const Network& network, const Tensor& x, const PerSample& t,
                           const PerSample& s) const {
  return evaluate(network, x, t, s, full_);
}

Tensor SampleContext::unconditional(const Network& network, const Tensor& x,
                                    const PerSample& t) const {
  return evaluate(network, x, t, t, unconditional_);
}

Tensor SampleContext::target_uncond(const Network& network, const Tensor& x, const PerSample& t,
                                    const TargetFactors& factors) const {
  if (!factors.needs_unconditional()) return {};
  const NoGrad off;
  return unconditional(network, x, t);
}

PathPoint SampleContext::point(const PerSample& t) const {
  return {batch_, options_.key(kNoise, step_), t};
}

PerSample SampleContext::draw(const LogitNormal& law, std::uint32_t purpose) const {
  return draw_times(law, options_.key(purpose, step_), batch_.indices);
}

Times SampleContext::jumps() const {
  return draw_jumps(options_.mva.jumps, options_.key(kJump, step_), batch_.indices);
}

TargetFactors SampleContext::factors(const PerSample& t) const {
  return {options_.guidance, scales_, t, dropped_};
}

}  // namespace eflow::soflow
