#pragma once
// Gated local-global attention (GLGA) as one op: a local branch, softmax attention over a window or
// all keys, and a global branch, linear attention over all keys. Each branch is RMS-normalised per
// head, and gates combine them. With kernels from prepare_glga() it is fused: no N x window matrix
// is stored in the forward or backward pass. Otherwise it is composed of elementary ops.
// [arXiv 2603.27086, Eq. 5-8]
//
//   G_i = RMS(kappa q_i sum_j k_j^T v_j), kappa = 1 / Nk   T_i = RMS(softmax_W(q k^T / sqrt d)_i v)
//   o_i = g^g_i G_i + g^l_i T_i                            (g^g, g^l)_i = sigmoid(gates_i)
//
// softmax_W is over the keys j with |i - j| <= R (or over all keys).

#include <cstdint>

#include "eflow/core/base/export.hpp"
#include "eflow/core/tensor/tensor.hpp"
#include "eflow/jit/kernel/spec.hpp"
#include "eflow/jit/kernel/target.hpp"

EFLOW_EXPORT_BEGIN

namespace eflow {

/// Attributes of a call.
struct GlgaOptions {
  enum class Local { kNone, kWindow, kFull };
  Local local = Local::kWindow;  ///< the softmax branch: none, over a window, over all keys
  bool global = true;            ///< whether the linear branch is computed
  bool normed = true;            ///< whether each branch is RMS-normalised
  double eps = 1e-6;             ///< of the norms
  std::int64_t radius = 0;  ///< R of the window, in raster positions; 0 selects the token itself
  /// Raster positions of the tokens if some were dropped: i64 [B, N], ascending in each sample.
  /// Undefined: 0 .. N-1.
  Tensor positions = {};
  /// Approximate percentage of the raster's tokens that are kept; tuned kernels depend on it.
  /// Ignored unless `positions` is set.
  int kept_percent = 25;
  /// How the backward pass iterates over the window. kOnce: one pass, with 5 products per pair of
  /// tiles and partial sums for dq. kTwice: one pass for dq and one for dk and dv, with 7 products
  /// and twice the blocks. kAuto: kOnce on the CPU. A GPU always uses kTwice.
  enum class Walk { kAuto, kOnce, kTwice };
  Walk backward_walk = Walk::kAuto;
  /// Whether the radius is a compile-time constant of the kernels; false makes it an argument.
  bool radius_in_code = true;
};

/// Computes GLGA: q [B, Nq, H, d], k, v [B, Nk, H, d] -> [B, Nq, H, d]; a window requires Nq = Nk.
/// gates: logits [B, Nq, 2, h, c], the global branch's first; (h, c) is (1, 1) for a gate per
/// token, (H, 1) per head, or (H, d) per channel; undefined: the branches are added. global_weight,
/// local_weight: [H d] of the norms, or undefined. One dtype: f32, f64 or bf16; if it is bf16, the
/// norms' weights may be f32 master weights, and their gradients are f32. Fused if the kernels are
/// ready (see prepare_glga), otherwise composed. Differentiable in all six inputs. Throws ShapeError,
/// InvalidArgument.
[[nodiscard]] Tensor glga(const Tensor& q, const Tensor& k, const Tensor& v, const Tensor& gates,
                          const Tensor& global_weight, const Tensor& local_weight,
                          const GlgaOptions& options);

/// No gates, one per row (token or head), or one per channel.
enum class GlgaGateKind { kNone, kRow, kChannel };
/// The properties of a fused call that, with its options, determine its kernels.
struct GlgaSignature {
  jit::Backend backend = jit::Backend::kHost;
  DType dtype = DType::kF32;
  std::int64_t head = 64;  ///< d
  GlgaGateKind gates = GlgaGateKind::kRow;
  bool kept = false;         ///< whether the call has positions; options.positions is ignored
  std::int64_t queries = 0;  ///< Nq, for the lookup of tuned tiles; default tiles ignore it
};
/// Returns the kernels of such calls, with default tiles, for compiling them ahead of time;
/// includes those of the backward pass if `gradients`. Empty if no fused kernels exist: d must be a
/// multiple of 8, at most 256, and the dtype on a GPU f32 or bf16.
[[nodiscard]] std::vector<jit::KernelRef> glga_kernels(const GlgaSignature& call,
                                                       const GlgaOptions& options, bool gradients);

/// Computes the same function as glga() from elementary ops: the test oracle and the fallback.
[[nodiscard]] Tensor glga_composition(const Tensor& q, const Tensor& k, const Tensor& v,
                                      const Tensor& gates, const Tensor& global_weight,
                                      const Tensor& local_weight, const GlgaOptions& options);

/// Joins the branches: norms, gates and sum [Eq. 7, 8]. global, local: q S and the softmax branch
/// before their norms, [B, N, H, d]; undefined if options disable the branch. The rest as in
/// glga().
[[nodiscard]] Tensor glga_join(Tensor global, Tensor local, const Tensor& gates,
                               const Tensor& global_weight, const Tensor& local_weight,
                               const GlgaOptions& options);

/// Loads or compiles the kernels for calls with these shapes and options; includes those of the
/// backward pass if `gradients`. Uses the tiles that `eflow jit tune` measured as fastest for this
/// number of tokens on this device, otherwise the defaults. Returns false if they are unavailable
/// (no compiler, unsupported d or dtype); glga() is then composed. A failure to compile is logged
/// once. Throws ShapeError if gates do not match q.
bool prepare_glga(const Tensor& q, const Tensor& gates, const GlgaOptions& options, bool gradients);

/// Cost of a pass. useful: floating-point operations (2 per multiply-add) for the pairs inside the
/// window, with scores recomputed once in the backward pass. executed: operations for whole tiles,
/// with scores recomputed as often as the kernels do. bytes: memory traffic if every operand is
/// moved once.
struct GlgaCost {
  double useful = 0, executed = 0, bytes = 0;
};
/// Costs of both passes.
struct GlgaCosts {
  GlgaCost forward, backward;
};
/// Returns the costs of a call with the fused kernels and the tiles they use on q's device; the
/// forward pass as in training.
[[nodiscard]] GlgaCosts glga_costs(const Tensor& q, const Tensor& k, const GlgaOptions& options);

}  // namespace eflow

EFLOW_EXPORT_END
