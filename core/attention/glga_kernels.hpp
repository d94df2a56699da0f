#pragma once
// Selects the kernels of a glga() call: their Specs, with tile sizes. Internal to core.

#include "eflow/core/attention/glga.hpp"
#include "eflow/core/attention/glga_tiles.hpp"
#include "eflow/jit/kernel/definitions.hpp"
#include "eflow/jit/runtime.hpp"

namespace eflow::detail {

using eflow::GlgaGateKind;
/// Returns the kind of the gates. Throws ShapeError, with the accepted shapes, if they do not match
/// q.
[[nodiscard]] GlgaGateKind glga_gate_kind(const Tensor& q, const Tensor& gates);

/// Throws ShapeError or InvalidArgument unless these are valid arguments of glga().
void require_glga(const Tensor& q, const Tensor& k, const Tensor& v, const Tensor& gates,
                  const Tensor& global_weight, const Tensor& local_weight,
                  const GlgaOptions& options);

/// The Specs of a call's kernels. Only those that the call uses are tuned and prepared.
struct GlgaKernels {
  bool once = false;  ///< backward in one pass: band and join instead of queries and keys
  jit::KernelSpec state, forward, rows, queries, keys, band, join;

  /// Whether fused kernels exist for such a call.
  [[nodiscard]] static bool fits(jit::Backend backend, DType dtype, std::int64_t head);
  [[nodiscard]] static bool fits(const Tensor& q);
  /// Selects the tiles that were tuned for the runtime's device, and prepares those kernels;
  /// nullptr: the default tiles. Includes the kernels of the backward pass if `gradients`.
  GlgaKernels(const GlgaSignature& call, const GlgaOptions& options, jit::Runtime* runtime,
              bool gradients);
  GlgaKernels(const Tensor& q, const Tensor& gates, const GlgaOptions& options, bool gradients);

  /// Returns the kernels of the call.
  [[nodiscard]] std::vector<jit::KernelRef> all(bool gradients) const;
  /// Whether the runtime has loaded all of them.
  [[nodiscard]] bool ready(const jit::Runtime& runtime, bool gradients) const;

 private:
  bool global_ = false;
};

/// The partial sums of dq in a one-pass backward: one part per chunk of keys (glga/band_grad.h).
struct GlgaParts {
  std::int64_t chunk;  ///< keys per part, a multiple of the tile's
  std::int64_t count;  ///< number of parts
  std::int64_t rows;   ///< queries per part: enough for any chunk
};
/// Sizes of a call.
struct GlgaSizes {
  std::int64_t heads;  ///< heads times samples
  std::int64_t queries, keys;
};
/// Depends only on the sizes, the options and the tile, never on threads: it determines the order
/// of additions.
[[nodiscard]] GlgaParts glga_parts(const GlgaSizes& sizes, const GlgaOptions& options,
                                   GlgaTile tile);

}  // namespace eflow::detail
