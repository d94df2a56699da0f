#pragma once
// CrossAttention: queries from the video tokens, keys and values from the context (text tokens).
// RMSNorm on q and k over the full width, no RoPE. Padding of the context is not masked. [Wan 2.1]

#include "eflow/core/base/export.hpp"
#include "eflow/nn/attention/fused_attention.hpp"
#include "eflow/nn/layers/linear.hpp"
#include "eflow/nn/layers/norm_layers.hpp"

EFLOW_EXPORT_BEGIN

namespace eflow::nn {

/// What cross-attention reads of a context; both [B, L, H, d], normalised, in the weights' dtype.
struct ContextKeys {
  Tensor k = {}, v = {};
};

class CrossAttention : public Module {
 public:
  CrossAttention(const Scope& scope, std::int64_t width, int heads);
  /// x [B, N, D], context [B, L, D] -> [B, N, D] in the weights' dtype
  [[nodiscard]] Tensor operator()(const Tensor& x, const Tensor& context) const {
    return (*this)(x, keys_of(context));
  }
  /// The same with keys_of(context), which passes that share a context compute once.
  [[nodiscard]] Tensor operator()(const Tensor& x, const ContextKeys& keys) const;
  [[nodiscard]] ContextKeys keys_of(const Tensor& context) const;
  /// Compiles the kernels of later calls, with the backward pass's if `gradients`.
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

EFLOW_EXPORT_END
