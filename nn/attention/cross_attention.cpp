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

Tensor CrossAttention::operator()(const Tensor& x, const Tensor& context) const {
  const std::int64_t d = width_ / heads_;
  const Shape queries{x.size(0), x.size(1), heads_, d};
  const Shape keys{context.size(0), context.size(1), heads_, d};
  const std::vector<Tensor> kv = split(kv_(context), {width_, width_}, 2);
  const Tensor q = reshape(q_norm_(q_(x)), queries);
  const Tensor k = reshape(k_norm_(kv[0]), keys);
  return out_.widened(reshape(softmax_(q, k, reshape(kv[1], keys)), x.shape()));
}

void CrossAttention::prepare(bool gradients) const {
  softmax_.prepare(
      Tensor::empty({1, 1, heads_, width_ / heads_}, scope().compute(), scope().device()),
      gradients);
}

}  // namespace eflow::nn
