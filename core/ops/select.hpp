#pragma once
// The row selection kernel shared by token gathering, token scattering and table lookup. Internal
// to core.

#include "eflow/core/tensor/tensor.hpp"

namespace eflow::detail {

/// y[b, m] = x[b, index[b, m]], or `fill` (zeros if undefined) if the index is negative.
/// x [B, N, D]; index i64 [B, M], fill [D] and y [B, M, D] row-major. Indices must be valid: the
/// kernel does not check them.
void launch_select(const Tensor& x, const Tensor& index, const Tensor& fill, const Tensor& y);

}  // namespace eflow::detail
