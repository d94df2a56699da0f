#pragma once
// Generated operands and arguments of one sample for any glga text, for the tuner and `eflow jit
// bench`. Internal to core.

#include <string>

#include "eflow/core/attention/glga.hpp"
#include "eflow/core/attention/glga_kernels.hpp"
#include "eflow/jit/tune/workload.hpp"
#include "eflow/kernels_src/args/glga.h"

namespace eflow::detail {

/// The call that a KernelSpec of a glga text is for, and its size.
struct GlgaProblem {
  GlgaSignature call;
  GlgaOptions options;
  std::int64_t tokens = 0, heads = 0;

  /// sizes: tokens (after dropping), heads, and the radius in raster positions if the KernelSpec has
  /// none. Throws InvalidArgument.
  GlgaProblem(jit::Backend backend, const std::string& text, const jit::KernelSpec& spec,
              const std::vector<std::int64_t>& sizes);
  /// Number of pairs of queries and keys inside the window.
  [[nodiscard]] double pairs() const;
  /// Radius of the window, in tokens after dropping.
  [[nodiscard]] std::int64_t reach() const;
};

/// Owns the tensors on the runtime's device. For a GPU it creates a Device of its own on the same
/// primary context.
class GlgaOperands {
 public:
  GlgaOperands(jit::Runtime& runtime, const GlgaProblem& problem);

  /// Returns `args` with the partial sums of dq, for glga_band_grad and glga_join_grad.
  [[nodiscard]] args::Glga with_parts(const GlgaParts& parts) const;

  args::Glga args{};
  args::GlgaState state_args{};
  Tensor out, local_grad, global_grad, delta, dq, dk, dv, state_parts;
  std::int64_t state_blocks = 1;

 private:
  /// Returns deterministic values in [-1, 1].
  [[nodiscard]] Tensor numbers(const Shape& shape, DType dtype, int seed) const;
  DevicePtr device_;
  Tensor q_, k_, v_, gates_, local_, lse_, state_, d_state_, d_gates_, d_weights_, ranges_, parts_;
};

}  // namespace eflow::detail
