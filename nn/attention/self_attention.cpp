#include "eflow/nn/attention/self_attention.hpp"

#include "eflow/core/attention/qk_norm.hpp"
#include "eflow/core/tensor/ops.hpp"
#include "eflow/nn/attention/token_layout.hpp"

namespace eflow::nn {

namespace {

/// Name of the mixer in parameter names. All kinds of is_glga() share one.
std::string mixer_name(AttentionKind kind) {
  return std::string(is_glga(kind) ? "glga" : name_of(kind));
}

}  // namespace

// qkv holds three layers, so the initialiser uses the fan of a single one.
SelfAttention::SelfAttention(const Scope& scope, std::int64_t width, int heads,
                             const AttentionOptions& options)
    : Module(scope),
      width_(width),
      heads_(heads),
      rotates_first_(options.kind != AttentionKind::kSana),  // which has a norm of unrotated q, k
      qkv_(child("qkv"), width, 3 * width, xavier_uniform(width, width),
           options.kind == AttentionKind::kSana ? Bias::kNone : Bias::kYes),
      q_norm_(child("q_norm"), width),
      k_norm_(child("k_norm"), width),
      mixer_(make_mixer(child(mixer_name(options.kind)), width, heads, options)),
      out_(child("out"), width, width) {}

Tensor SelfAttention::operator()(const Tensor& x, const TokenLayout& layout) const {
  const Tensor qkv = qkv_(x);
  if (rotates_first_) {
    const auto [q, k, v] = qk_norm_rope(qkv, q_norm_.weight(), k_norm_.weight(), layout.rope.cos,
                                        layout.rope.sin, heads_, kNormEps);
    return out_.widened(
        mixer_->mix({.q = q, .k = k, .v = v, .x = x, .layout = layout, .is_rotated = true}));
  }
  const Shape heads{x.size(0), x.size(1), heads_, width_ / heads_};
  const std::vector<Tensor> parts = split(qkv, {width_, width_, width_}, 2);
  return out_.widened(mixer_->mix({.q = reshape(q_norm_(parts[0]), heads),
                                   .k = reshape(k_norm_(parts[1]), heads),
                                   .v = reshape(parts[2], heads),
                                   .x = x,
                                   .layout = layout}));
}

}  // namespace eflow::nn
