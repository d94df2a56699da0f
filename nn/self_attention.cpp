#include "eflow/nn/self_attention.hpp"

namespace eflow::nn {

// q, k and v are three products in one, so the fan of the initialiser is that of one of them.
SelfAttention::SelfAttention(const Scope& scope, std::int64_t width, int heads,
                             const Glga::Options& options)
    : Module(scope),
      width_(width),
      heads_(heads),
      qkv_(child("qkv"), width, 3 * width, xavier_uniform(width, width)),
      q_norm_(child("q_norm"), width),
      k_norm_(child("k_norm"), width),
      glga_(options.kind == AttentionKind::kSoftmax
                ? nullptr
                : std::make_unique<Glga>(child("glga"), width, heads, options)),
      out_(child("out"), width, width) {}

Tensor SelfAttention::operator()(const Tensor& x, const RopeTables& tables,
                                 const Tensor& positions) const {
  const Shape heads{x.size(0), x.size(1), heads_, width_ / heads_};
  const std::vector<Tensor> parts = split(qkv_(x), {width_, width_, width_}, 2);
  const Tensor q = reshape(tables(q_norm_(parts[0]), heads_), heads);
  const Tensor k = reshape(tables(k_norm_(parts[1]), heads_), heads);
  const Tensor v = reshape(parts[2], heads);
  if (glga_) return out_((*glga_)(q, k, v, x, positions));
  return out_(reshape(softmax_(q, k, v), x.shape()));
}

void SelfAttention::prepare(int kept_percent, bool gradients) const {
  if (glga_) return glga_->prepare(kept_percent, gradients);
  softmax_.prepare(
      Tensor::empty({1, 1, heads_, width_ / heads_}, scope().dtype(), scope().device()), gradients);
}

}  // namespace eflow::nn
