#include "eflow/nn/attention/self_attention.hpp"

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
      qkv_(child("qkv"), width, 3 * width, xavier_uniform(width, width),
           options.kind == AttentionKind::kSana ? Bias::kNone : Bias::kYes),
      q_norm_(child("q_norm"), width),
      k_norm_(child("k_norm"), width),
      mixer_(make_mixer(child(mixer_name(options.kind)), width, heads, options)),
      out_(child("out"), width, width) {}

Tensor SelfAttention::operator()(const Tensor& x, const TokenLayout& layout) const {
  const Shape heads{x.size(0), x.size(1), heads_, width_ / heads_};
  const std::vector<Tensor> parts = split(qkv_(x), {width_, width_, width_}, 2);
  return out_.widened(mixer_->mix({.q = reshape(q_norm_(parts[0]), heads),
                                   .k = reshape(k_norm_(parts[1]), heads),
                                   .v = reshape(parts[2], heads),
                                   .x = x,
                                   .layout = layout}));
}

}  // namespace eflow::nn
