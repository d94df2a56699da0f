#pragma once
// SLA, sparse-linear attention: softmax over the key blocks whose mean keys score highest against a
// query block's mean query, plus a linear branch over all tokens behind a projection that starts at
// zero. [thu-ml/SLA, main]
//
//   o = block_softmax(q, k, v) + W (c(q) K / (c(q) z + eps)),  c = softmax over channels,
//   K = sum_j c(k_j)^T v_j,  z = sum_j c(k_j)

#include "eflow/nn/attention/mixer.hpp"
#include "eflow/nn/layers/linear.hpp"

namespace eflow::nn {

/// Returns the linear branch before W. q, k, v [B, N, H, d] -> [B, N, H, d]
[[nodiscard]] Tensor channel_softmax_attention(const Tensor& q, const Tensor& k, const Tensor& v);

class SlaAttention : public Mixer {
 public:
  SlaAttention(const Scope& scope, std::int64_t width, int heads, const AttentionOptions& options);
  [[nodiscard]] Tensor operator()(const MixInputs& in) const override;

 private:
  AttentionOptions options_;
  Linear out_;  ///< W, [d, d], shared by the heads
};

}  // namespace eflow::nn
