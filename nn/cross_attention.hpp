#pragma once
// CrossAttention: queries from the video's tokens, keys and values from a context (text tokens).
// RMSNorm on q and k, no positions; padding of the context is not masked. [Wan 2.1]

#include "eflow/nn/fused_attention.hpp"
#include "eflow/nn/linear.hpp"
#include "eflow/nn/norm_layers.hpp"

namespace eflow::nn {

class CrossAttention : public Module {
 public:
  CrossAttention(const Scope& scope, std::int64_t width, int heads);
  /// x [B, N, D], context [B, L, D] -> [B, N, D], of the weights' dtype
  [[nodiscard]] Tensor operator()(const Tensor& x, const Tensor& context) const;
  /// Compiles what calls need.
  void prepare(bool gradients) const;

 private:
  std::int64_t width_;
  int heads_;
  Linear q_, kv_;
  RmsNorm q_norm_, k_norm_;
  SoftmaxAttention softmax_;
  Linear out_;
};

}  // namespace eflow::nn
