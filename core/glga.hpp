#pragma once
// Gated local-global attention in one op: a softmax branch over a window (or all keys) and a linear branch over all keys,
// each through its own RMS norm a head, joined by gates. Where the runtime has its kernels it is fused: nothing of size
// N x window is ever in memory, forward or backward. Else it is composed of plain ops.   [arXiv 2603.27086, Eq. 5-8]
//
//   G_i = RMS(kappa q_i sum_j k_j^T v_j), kappa = 1 / Nk     T_i = RMS(softmax_{|i-j| <= R}(q_i k_j / sqrt(d)) v_j)
//   o_i = g^g_i G_i + g^l_i T_i                              (g^g, g^l)_i = sigmoid(gates_i)

#include <cstdint>

#include "eflow/core/tensor.hpp"
#include "eflow/jit/build_request.hpp"
#include "eflow/jit/kernel_definitions.hpp"

namespace eflow {

struct GlgaOptions {
  enum class Local { kNone, kWindow, kFull };
  Local local = Local::kWindow;  ///< the softmax branch
  bool global = true;            ///< the linear branch
  bool normed = true;            ///< each branch through its norm
  double eps = 1e-6;
  std::int64_t radius = 0;  ///< R of the window, in places of the raster; 0 sees itself
  /// i64 [B, N], ascending in a sample: where kept tokens stand in the raster. Undefined: 0 .. N-1.
  Tensor positions;
  /// Share of the raster's tokens that are kept, about; kernels are tuned for it. Of no meaning without positions.
  int kept_percent = 25;
  /// How the backward pass walks the window: once, with 5 products a pair of tiles and partial sums for the queries'
  /// gradient, or once for queries and once for keys, with 7 products and twice the blocks. kAuto: once on the CPU. A GPU
  /// always walks twice.
  enum class Walk { kAuto, kOnce, kTwice };
  Walk backward_walk = Walk::kAuto;
  /// Compile the radius into the kernels; false leaves it an argument, for comparing.
  bool radius_in_code = true;
};

/// q [B, Nq, H, d], k and v [B, Nk, H, d] -> [B, Nq, H, d]; a window needs Nq = Nk. gates: logits [B, Nq, 2, h, c], the
/// linear branch's first, h and c 1 (one gate a token), H and 1 (a head) or H and d (a channel); undefined: the branches
/// are added. weights [H d] of the norms, or undefined. Runs fused where prepare_glga made that possible, else composed.
/// Differentiable in all six. Throws ShapeError, InvalidArgument.
[[nodiscard]] Tensor glga(const Tensor& q, const Tensor& k, const Tensor& v, const Tensor& gates,
                          const Tensor& global_weight, const Tensor& local_weight,
                          const GlgaOptions& options);

/// A gate of none, one number a row (of a token or a head), or one a channel.
enum class GlgaGateKind { kNone, kRow, kChannel };
/// What decides the kernels of a fused call beside its options, without its tensors.
struct GlgaSignature {
  jit::Backend backend = jit::Backend::kHost;
  DType dtype = DType::kF32;
  std::int64_t head = 64;  ///< d
  GlgaGateKind gates = GlgaGateKind::kRow;
  bool kept = false;  ///< whether the call has positions, whatever its options hold
  std::int64_t queries = 0;  ///< for which tuned tiles are looked up; the default ones are for any number
};
/// The kernels of such calls, for compiling them before there is one; with those of the backward pass where `gradients`.
/// Empty where glga() composes: d must be a multiple of 8, up to 256; on a GPU f32 or bf16.
[[nodiscard]] std::vector<jit::KernelRef> glga_kernels(const GlgaSignature& call,
                                                       const GlgaOptions& options, bool gradients);

/// The same by plain ops: oracle and fallback.
[[nodiscard]] Tensor glga_composition(const Tensor& q, const Tensor& k, const Tensor& v,
                                      const Tensor& gates, const Tensor& global_weight,
                                      const Tensor& local_weight, const GlgaOptions& options);

/// Makes the kernels for calls like this one ready, compiling them if no cache has them; with those of the backward pass
/// where `gradients`. Tiles are those that `eflow jit tune` found best for so many tokens on this device, else the default.
/// False when they cannot be had (no compiler, see glga_kernels for d): glga() then composes. Why is said once in the log.
bool prepare_glga(const Tensor& q, const Tensor& gates, const GlgaOptions& options, bool gradients);

/// What a call costs, in operations (2 a multiply-add) and bytes. Useful: pairs inside the window, and the backward pass as
/// if scores were made anew once; executed: whole tiles, and scores as often as the backward pass makes them. Bytes
/// are what must be moved at least once.
struct GlgaCost {
  double useful = 0, executed = 0, bytes = 0;
};
struct GlgaCosts {
  GlgaCost forward, backward;
};
/// Of the fused kernels in the tiles that they have here; the forward pass as in training.
[[nodiscard]] GlgaCosts glga_costs(const Tensor& q, const Tensor& k, const GlgaOptions& options);

}  // namespace eflow
