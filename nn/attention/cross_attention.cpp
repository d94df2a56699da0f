#include "eflow/nn/attention/cross_attention.hpp"

#include "eflow/core/tensor/ops.hpp"

namespace eflow::nn {

CrossAttention::CrossAttention(const Scope& scope, std::int64_t width, int heads)
    : Module(scope),
      width_(width),
      heads_(heads),
      q_(child("q"), width, width),
      kv_(child("kv"), width, 2 * width, xavier_uniform(width, width)),
      q_norm_(child("q_norm"), width),
      k_norm_(child("k_norm"), width),
      out_(child("out"), width, width) {}

ContextKeys CrossAttention::keys_of(const Tensor& context) const {
  const Shape keys{context.size(0), context.size(1), heads_, width_ / heads_};
  const std::vector<Tensor> kv = split(kv_(context), {width_, width_}, 2);
  return {reshape(k_norm_(kv[0]), keys), reshape(kv[1], keys)};
}

Tensor CrossAttention::operator()(const Tensor& x, const ContextKeys& keys) const {
  const Shape queries{x.size(0), x.size(1), heads_, width_ / heads_};
  const Tensor q = reshape(q_norm_(q_(x)), queries);
  return out_.widened(reshape(softmax_(q, keys.k, keys.v), x.shape()));
}

void CrossAttention::prepare(bool gradients) const {
  softmax_.prepare(
      Tensor::empty({1, 1, heads_, width_ / heads_}, scope().compute(), scope().device()),
      gradients);
}

}  // namespace eflow::nn
