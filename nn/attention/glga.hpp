#pragma once
// Gated local-global attention (GLGA): a windowed softmax branch T and a linear branch G over all
// tokens, each normalised per head, combined by learned gates. Runs as one fused op if its kernels
// are available, else as plain ops. Neither keeps anything of size N x W. [arXiv 2603.27086, Eq.
// 5-8]
//
//   G_i = RMS(kappa q_i sum_j k_j^T v_j)    T_i = RMS(softmax_{|i-j|<=R}(q_i k_j / sqrt(d)) v_j)
//   o_i = g^g_i G_i + g^l_i T_i             (g^g, g^l)_i = sigmoid(x_i W_g + b_g)

#include <memory>

#include "eflow/nn/attention/fused_attention.hpp"
#include "eflow/nn/attention/mixer.hpp"
#include "eflow/nn/layers/linear.hpp"
#include "eflow/nn/layers/norm_layers.hpp"

namespace eflow::nn {

/// Softmax attention over the keys whose raster position differs by at most `radius`. [Eq. 6]
/// q, k, v [B, N, H, d] -> [B, N, H, d]; positions i64 [B, N] of kept tokens, or undefined.
[[nodiscard]] Tensor window_attention(const Tensor& q, const Tensor& k, const Tensor& v,
                                      std::int64_t radius, const Tensor& positions = Tensor());

/// Returns kappa q (k^T v) with kappa = 1/N. q, k, v [B, N, H, d] -> [B, N, H, d]. [Eq. 5]
[[nodiscard]] Tensor linear_attention(const Tensor& q, const Tensor& k, const Tensor& v);

/// The mixer of the attention kinds for which is_glga() is true.
class Glga : public Mixer {
 public:
  using Options = AttentionOptions;
  Glga(const Scope& scope, std::int64_t width, int heads, const Options& options);

  [[nodiscard]] Tensor operator()(const MixInputs& in) const override;
  /// q, k (rotated), v [B, N, H, d]; x [B, N, D], the input of q, k, v and of the gates; positions
  /// i64 [B, N] of kept tokens or undefined -> [B, N, D]
  [[nodiscard]] Tensor operator()(const Tensor& q, const Tensor& k, const Tensor& v,
                                  const Tensor& x, const Tensor& positions) const {
    return mix(q, k, v, x, call(q.size(1), positions, options_.tokens, options_.radius));
  }
  void prepare(int kept_percent, bool gradients, std::int64_t radius) const override;

 protected:
  [[nodiscard]] Tensor of_part(const MixInputs& in, const SequencePart& part) const override;
  [[nodiscard]] Tensor chunk(const ChunkInputs& in, const Tensor& x, const ChunkMemory& before,
                             std::int64_t radius) const override;
  [[nodiscard]] ChunkMemory remember(const ChunkMemory& before, const ChunkInputs& in,
                                     std::int64_t radius) const override;

 private:
  /// The op's options with this radius; -1 means the block's own.
  [[nodiscard]] GlgaOptions windowed(std::int64_t radius) const;
  /// Shape of the gate logits, [samples, tokens, 2, h, c].
  [[nodiscard]] Shape gate_shape(std::int64_t samples, std::int64_t tokens) const;
  /// Logits of both gates, [B, N, 2, h, c]; undefined if there are no gates.
  [[nodiscard]] Tensor gates(const Tensor& x) const;
  /// The op's options for a call over `tokens` of a raster of `raster` tokens (0: unknown).
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
  FusedAttention window_;  ///< the softmax branch alone, of a part
};

/// Returns the options of glga() for such a block, without the positions of kept tokens.
[[nodiscard]] GlgaOptions glga_options(const Glga::Options& options);
[[nodiscard]] GlgaGateKind glga_gate_kind(const Glga::Options& options);

}  // namespace eflow::nn
