#pragma once
// SelfAttention: one linear layer computes q, k and v, RMSNorm over the full width normalises q and
// k, a mixer combines them, and an output layer follows. [Wan 2.1; arXiv 2603.27086]

#include <memory>

#include "eflow/core/base/export.hpp"
#include "eflow/nn/attention/mixer.hpp"
#include "eflow/nn/layers/linear.hpp"
#include "eflow/nn/layers/norm_layers.hpp"

EFLOW_EXPORT_BEGIN

namespace eflow::nn {

class SelfAttention : public Module {
 public:
  SelfAttention(const Scope& scope, std::int64_t width, int heads, const AttentionOptions& options);

  /// x [B, N, D] -> [B, N, D]. layout: of these N tokens.
  [[nodiscard]] Tensor operator()(const Tensor& x, const TokenLayout& layout) const;
  /// See Mixer::prepare().
  void prepare(int kept_percent, bool gradients, std::int64_t radius = -1) const {
    mixer_->prepare(kept_percent, gradients, radius);
  }

 private:
  std::int64_t width_;
  int heads_;
  bool rotates_first_;  ///< the mixer takes q and k with RoPE applied
  Linear qkv_;
  RmsNorm q_norm_, k_norm_;
  std::unique_ptr<Mixer> mixer_;
  Linear out_;
};

}  // namespace eflow::nn

EFLOW_EXPORT_END
