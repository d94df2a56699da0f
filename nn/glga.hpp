#pragma once
// Gated local-global attention: a windowed softmax branch T and a linear branch G over all tokens,
// each normalised per head, joined by learned gates. One fused op where its kernels can be had,
// else plain ops; neither keeps anything of size N x W. [arXiv 2603.27086, Eq. 5-8]
//
//   G_i = RMS(kappa q_i sum_j k_j^T v_j)    T_i = RMS(softmax_{|i-j|<=R}(q_i k_j / sqrt(d)) v_j)
//   o_i = g^g_i G_i + g^l_i T_i             (g^g, g^l)_i = sigmoid(x_i W_g + b_g)

#include <memory>

#include "eflow/nn/fused_attention.hpp"
#include "eflow/nn/linear.hpp"
#include "eflow/nn/mixer.hpp"
#include "eflow/nn/norm_layers.hpp"

namespace eflow::nn {

/// Softmax over keys whose raster position is within `radius`.
/// q, k, v [B, N, H, d] -> [B, N, H, d]; positions i64 [B, N] of kept tokens, or undefined.
[[nodiscard]] Tensor window_attention(const Tensor& q, const Tensor& k, const Tensor& v,
                                      std::int64_t radius, const Tensor& positions = Tensor());

/// kappa q (k^T v) with kappa = 1/N over the N tokens given; q, k, v [B, N, H, d] -> [B, N, H, d].
[[nodiscard]] Tensor linear_attention(const Tensor& q, const Tensor& k, const Tensor& v);

/// The mixing of q, k, v by any kind of which is_glga() is true.
class Glga : public Mixer {
 public:
  using Options = AttentionOptions;
  Glga(const Scope& scope, std::int64_t width, int heads, const Options& options);

  [[nodiscard]] Tensor operator()(const MixInputs& in) const override;
  /// q, k (turned), v [B, N, H, d]; x [B, N, D], the input that q, k and v were made of; positions
  /// i64 [B, N] of kept tokens or undefined -> [B, N, D]
  [[nodiscard]] Tensor operator()(const Tensor& q, const Tensor& k, const Tensor& v,
                                  const Tensor& x, const Tensor& positions) const {
    return mix(q, k, v, x, call(q.size(1), positions, options_.tokens, options_.radius));
  }
  void prepare(int kept_percent, bool gradients, std::int64_t radius) const override;

 protected:
  [[nodiscard]] Tensor chunk(const ChunkInputs& in, const Tensor& x, const ChunkMemory& before,
                             std::int64_t radius) const override;
  [[nodiscard]] ChunkMemory remember(const ChunkMemory& before, const ChunkInputs& in,
                                     std::int64_t radius) const override;

 private:
  /// The op's options with this radius; -1: the block's own.
  [[nodiscard]] GlgaOptions windowed(std::int64_t radius) const;
  /// The logits' last two sizes.
  [[nodiscard]] Shape gate_shape(std::int64_t samples, std::int64_t tokens) const;
  /// Logits of both gates, [B, N, 2, h, c]; undefined without gates.
  [[nodiscard]] Tensor gates(const Tensor& x) const;
  /// What calls over these tokens ask of the op; raster: tokens in all.
  [[nodiscard]] GlgaOptions call(std::int64_t tokens, const Tensor& positions, std::int64_t raster,
                                 std::int64_t radius) const;
  [[nodiscard]] Tensor mix(const Tensor& q, const Tensor& k, const Tensor& v, const Tensor& x,
                           const GlgaOptions& options) const;

  Options options_;
  std::int64_t width_;
  int heads_;
  std::unique_ptr<RmsNorm> global_norm_, local_norm_;
  std::unique_ptr<Linear> gate_;
  FusedAttention run_;
};

/// What glga() is told by such a block, without the positions of kept tokens.
[[nodiscard]] GlgaOptions glga_options(const Glga::Options& options);
[[nodiscard]] GlgaGateKind glga_gate_kind(const Glga::Options& options);

}  // namespace eflow::nn
