#pragma once
// One sample's operands and arguments for any of the glga texts, made up: what the tuner and `eflow jit bench` launch them
// with. Internal to core.

#include <string>

#include "eflow/core/glga.hpp"
#include "eflow/core/ops/glga_kernels.hpp"
#include "eflow/jit/workload.hpp"
#include "eflow/kernels/args/glga.h"

namespace eflow::detail {

/// The call that a Spec of a glga text serves, and how large it is.
struct GlgaProblem {
  GlgaSignature call;
  GlgaOptions options;
  std::int64_t tokens, heads;

  /// sizes: tokens that are there, heads, radius in places of the raster where the Spec has none. Throws InvalidArgument.
  GlgaProblem(jit::Backend backend, const std::string& text, const jit::Spec& spec,
              const std::vector<std::int64_t>& sizes);
  /// Pairs of queries and keys that see each other.
  [[nodiscard]] double pairs() const;
  /// How far a token sees, in tokens that are there.
  [[nodiscard]] std::int64_t reach() const;
};

/// Names what lies on the runtime's device; a GPU's memory belongs to a Device of its own beside the runtime.
class GlgaOperands {
 public:
  GlgaOperands(jit::Runtime& runtime, const GlgaProblem& problem);

  /// The arguments where a walk has such tiles; only glga_band_grad.h asks.
  [[nodiscard]] args::Glga with_parts(const GlgaParts& parts) const;

  args::Glga args{};
  args::GlgaState state_args{};
  Tensor out, local_grad, global_grad, delta, dq, dk, dv, state_parts;
  std::int64_t state_blocks = 1;

 private:
  [[nodiscard]] Tensor numbers(const Shape& shape, DType dtype, int seed) const;
  DevicePtr device_;
  Tensor q_, k_, v_, gates_, local_, lse_, state_, d_state_, d_gates_, d_weights_, ranges_, parts_;
};

}  // namespace eflow::detail
