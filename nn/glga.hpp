#pragma once
// Gated local-global attention: a windowed softmax branch T and a linear branch G over all tokens,
// each normalised per head, joined by learned gates. One fused op where its kernels can be had,
// else plain ops; neither keeps anything of size N x W. [arXiv 2603.27086, Eq. 5-8]
//
//   G_i = RMS(kappa q_i sum_j k_j^T v_j)    T_i = RMS(softmax_{|i-j|<=R}(q_i k_j / sqrt(d)) v_j)
//   o_i = g^g_i G_i + g^l_i T_i             (g^g, g^l)_i = sigmoid(x_i W_g + b_g)

#include <memory>
#include <string_view>

#include "eflow/nn/fused_attention.hpp"
#include "eflow/nn/linear.hpp"
#include "eflow/nn/norm_layers.hpp"

namespace eflow::nn {

/// Which branches a block has. kSoftmax is plain attention over all tokens, neither normed nor gated.
enum class AttentionKind { kSoftmax, kWindow, kLinear, kSum, kGated };
/// Whether a gate is one number a token, a head or a channel.
enum class GateKind { kToken, kHead, kChannel };

/// "softmax", "window", "linear", "sum", "glga".
[[nodiscard]] std::string_view name_of(AttentionKind kind);
/// "token", "head", "channel".
[[nodiscard]] std::string_view name_of(GateKind kind);
/// Inverses of name_of. Throw InvalidArgument listing the known names.
[[nodiscard]] AttentionKind attention_kind(std::string_view name);
[[nodiscard]] GateKind gate_kind(std::string_view name);

/// Softmax over keys whose raster position is within `radius`.
/// q, k, v [B, N, H, d] -> [B, N, H, d]; positions i64 [B, N] of kept tokens, or undefined.
[[nodiscard]] Tensor window_attention(const Tensor& q, const Tensor& k, const Tensor& v,
                                      std::int64_t radius, const Tensor& positions = Tensor());

/// kappa q (k^T v) with kappa = 1/N over the N tokens given; q, k, v [B, N, H, d] -> [B, N, H, d].
[[nodiscard]] Tensor linear_attention(const Tensor& q, const Tensor& k, const Tensor& v);

/// The mixing of q, k, v by any kind but kSoftmax.
class Glga : public Module {
 public:
  struct Options {
    AttentionKind kind = AttentionKind::kGated;
    GateKind gates = GateKind::kToken;
    std::int64_t radius = 0;  ///< R, in tokens of the raster; 0 sees itself
    std::int64_t tokens = 0;  ///< of the raster, to tell the share of kept ones; 0: unknown
  };
  Glga(const Scope& scope, std::int64_t width, int heads, const Options& options);

  /// q, k (roped), v [B, N, H, d]; x [B, N, D], the input that q, k and v were made of -> [B, N, D]
  [[nodiscard]] Tensor operator()(const Tensor& q, const Tensor& k, const Tensor& v,
                                  const Tensor& x, const Tensor& positions) const;
  /// Compiles what such calls need: with all tokens there, or about this share of them.
  void prepare(int kept_percent, bool gradients) const;

 private:
  /// The logits' last two sizes.
  [[nodiscard]] Shape gate_shape(std::int64_t samples, std::int64_t tokens) const;
  /// Logits of both gates, [B, N, 2, h, c]; undefined without gates.
  [[nodiscard]] Tensor gates(const Tensor& x) const;
  /// What calls over these tokens ask of the op; positions: see operator().
  [[nodiscard]] GlgaOptions call(std::int64_t tokens, const Tensor& positions) const;

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
