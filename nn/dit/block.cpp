#include "eflow/nn/dit/block.hpp"

#include "eflow/core/tensor/ops.hpp"

namespace eflow::nn {

DiTBlock::DiTBlock(const Scope& scope, const Options& options)
    : Module(scope),
      modulation_(child("modulation"), 6, options.width),
      attention_(child("attention"), options.width, options.heads, options.attention) {
  if (options.mix_feed_forward) {
    mix_feed_forward_ =
        std::make_unique<MixFeedForward>(child("feed_forward"), options.width, options.hidden);
  } else {
    feed_forward_ =
        std::make_unique<FeedForward>(child("feed_forward"), options.width, options.hidden);
  }
  if (options.cross_attention) {
    cross_norm_ = std::make_unique<LayerNorm>(child("cross_norm"), options.width);
    cross_attention_ =
        std::make_unique<CrossAttention>(child("cross_attention"), options.width, options.heads);
  }
}

OpenResidual DiTBlock::open(const OpenResidual& before, const BlockInputs& in) const {
  const std::vector<Tensor> m = modulation_(in.modulation);
  const BranchModulation attention{m[0], m[1], m[2]}, feed_forward{m[3], m[4], m[5]};
  const DType compute = scope().compute();

  const NormedResidual entered =
      before.y.defined() ? before.branch.residual(before.x, before.y, attention, compute)
                         : NormedResidual{before.x, attention.input(before.x, compute)};
  const Tensor mixed = attention_(entered.normed, in.layout);
  NormedResidual r;
  if (cross_attention_) {
    const Tensor h = attention.residual(entered.h, mixed);
    r.h = h + (*cross_attention_)((*cross_norm_)(h, compute), context_keys(in));
    r.normed = feed_forward.input(r.h, compute);
  } else {
    r = attention.residual(entered.h, mixed, feed_forward, compute);
  }
  return {
      r.h,
      feed_forward_ ? (*feed_forward_)(r.normed) : (*mix_feed_forward_)(r.normed, in.layout.grid),
      feed_forward};
}

ContextKeys DiTBlock::context_keys(const BlockInputs& in) const {
  if (in.context_keys == nullptr) return cross_attention_->keys_of(in.context);
  if (!in.context_keys->k.defined()) *in.context_keys = cross_attention_->keys_of(in.context);
  return *in.context_keys;
}

void DiTBlock::prepare(int kept_percent, bool gradients, std::int64_t radius) const {
  attention_.prepare(kept_percent, gradients, radius);
  if (cross_attention_) cross_attention_->prepare(gradients);
}

}  // namespace eflow::nn
