#pragma once
// Mean square errors, and the powers of them that losses are weighted by.

#include "eflow/core/base/export.hpp"
#include "eflow/core/tensor/tensor.hpp"

EFLOW_EXPORT_BEGIN

namespace eflow {

/// Mean over all axes but the first of (x - target)^2, or of x^2 if target is undefined: [B, ...]
/// -> [B]. No gradient to the target. Throws ShapeError for an empty tensor, InvalidArgument for
/// other dtypes.
[[nodiscard]] Tensor mean_square_error(const Tensor& x, const Tensor& target = Tensor());

/// (x + a)^p with scalars a and p, for x + a > 0.
[[nodiscard]] Tensor power(const Tensor& x, double a, double p);

}  // namespace eflow

EFLOW_EXPORT_END
