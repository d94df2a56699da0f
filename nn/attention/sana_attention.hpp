#pragma once
// Sana's linear attention: ReLU features of q and k, with RoPE applied only in the numerator.
// [NVlabs/Sana, LiteLAReLURope]
//
//   o_i = rope(q_i) sum_j rope(k_j)^T v_j / (q_i . sum_j k_j + eps),  q, k >= 0

#include "eflow/nn/attention/mixer.hpp"
#include "eflow/nn/layers/rope3d.hpp"

namespace eflow::nn {

/// q, k, v [B, N, H, d] -> [B, N, H, d]
[[nodiscard]] Tensor sana_attention(const Tensor& q, const Tensor& k, const Tensor& v,
                                    const RopeTables& rope);

class SanaAttention : public Mixer {
 public:
  explicit SanaAttention(const Scope& scope) : Mixer(scope) {}
  [[nodiscard]] Tensor operator()(const MixInputs& in) const override;

 protected:
  [[nodiscard]] Tensor of_part(const MixInputs& in, const SequencePart& part) const override;
};

}  // namespace eflow::nn
