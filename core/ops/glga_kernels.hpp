#pragma once
// Which kernels serve a call of glga(): their Specs, tile shapes included. Internal to core.

#include "eflow/core/glga.hpp"
#include "eflow/jit/kernel_definitions.hpp"

namespace eflow::detail {

using eflow::GlgaGateKind;
/// Throws ShapeError naming what gates would fit q.
[[nodiscard]] GlgaGateKind glga_gate_kind(const Tensor& q, const Tensor& gates);

/// Throws ShapeError or InvalidArgument for what glga() cannot take.
void require_glga(const Tensor& q, const Tensor& k, const Tensor& v, const Tensor& gates,
                  const Tensor& global_weight, const Tensor& local_weight,
                  const GlgaOptions& options);

struct GlgaTile {
  int rows, keys;
};

struct GlgaKernels {
  bool once = false;  ///< backward: band and join instead of queries and keys
  GlgaTile forward_tile, rows_tile, queries_tile, keys_tile;
  GlgaTile walk_tile;  ///< of band and join
  jit::Spec state, forward, rows, queries, keys, band, join;

  /// Whether a call may be fused at all.
  [[nodiscard]] static bool fits(jit::Backend backend, DType dtype, std::int64_t head);
  [[nodiscard]] static bool fits(const Tensor& q);
  GlgaKernels(const GlgaSignature& call, const GlgaOptions& options);
  GlgaKernels(const Tensor& q, const Tensor& gates, const GlgaOptions& options);

  [[nodiscard]] std::vector<jit::KernelRef> all(bool gradients) const;
  [[nodiscard]] bool ready(const jit::Runtime& runtime, bool gradients) const;

 private:
  bool global_ = false;
};

/// The parts that a backward pass in one walk sums the queries' gradient in (glga_band_grad.h).
struct GlgaParts {
  std::int64_t chunk;  ///< keys of one, a multiple of the tile's
  std::int64_t count;
  std::int64_t rows;  ///< of one, enough for any
};
/// A function of the sizes alone, never of threads: the sums' order depends on it.
[[nodiscard]] GlgaParts glga_parts(const Tensor& q, const Tensor& k, const GlgaOptions& options,
                                   GlgaTile tile);

}  // namespace eflow::detail
