#pragma once
// A gated residual and the AdaLN norm of the next branch, in one op.

#include <optional>

#include "eflow/core/base/export.hpp"
#include "eflow/core/tensor/tensor.hpp"

EFLOW_EXPORT_BEGIN

namespace eflow {

/// The residual stream and its norm.
struct NormedResidual {
  Tensor h, normed;
};

/// Returns h = x + gate y and modulated_layer_norm(h, scale, shift, eps, out), in one pass over
/// memory, forward and backward, and the same bits as those ops.
/// x, y [B, N, D]; gate, scale, shift [B, D]; all of one dtype. out: dtype of the norm, by default
/// that of x; bf16 is allowed if x is f32. Throws ShapeError, InvalidArgument.
[[nodiscard]] NormedResidual residual_norm(const Tensor& x, const Tensor& y, const Tensor& gate,
                                           const Tensor& scale, const Tensor& shift, double eps,
                                           std::optional<DType> out = {});

}  // namespace eflow

EFLOW_EXPORT_END
