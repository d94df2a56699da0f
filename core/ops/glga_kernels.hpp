#pragma once
// Which kernels serve a call of glga(): their Specs, tile shapes included. Internal to core.

#include "eflow/core/glga.hpp"
#include "eflow/core/ops/glga_tiles.hpp"
#include "eflow/jit/kernel_definitions.hpp"

namespace eflow::detail {

using eflow::GlgaGateKind;
/// Throws ShapeError naming what gates would fit q.
[[nodiscard]] GlgaGateKind glga_gate_kind(const Tensor& q, const Tensor& gates);

/// Throws ShapeError or InvalidArgument for what glga() cannot take.
void require_glga(const Tensor& q, const Tensor& k, const Tensor& v, const Tensor& gates,
                  const Tensor& global_weight, const Tensor& local_weight,
                  const GlgaOptions& options);

struct GlgaKernels {
  bool once = false;  ///< backward: band and join instead of queries and keys
  jit::Spec state, forward, rows, queries, keys, band, join;

  /// Whether a call may be fused at all.
  [[nodiscard]] static bool fits(jit::Backend backend, DType dtype, std::int64_t head);
  [[nodiscard]] static bool fits(const Tensor& q);
  /// With tiles as they were tuned for the runtime's device; null: the default ones. Prepares what was tuned of the kernels
  /// that are needed, with those of the backward pass where `gradients`.
  GlgaKernels(const GlgaSignature& call, const GlgaOptions& options, jit::Runtime* runtime,
              bool gradients);
  GlgaKernels(const Tensor& q, const Tensor& gates, const GlgaOptions& options, bool gradients);

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
struct GlgaSizes {
  std::int64_t heads;  ///< of all samples
  std::int64_t queries, keys;
};
/// A function of the sizes and the tile alone, never of threads: the sums' order depends on it.
[[nodiscard]] GlgaParts glga_parts(const GlgaSizes& sizes, const GlgaOptions& options,
                                   GlgaTile tile);

}  // namespace eflow::detail
