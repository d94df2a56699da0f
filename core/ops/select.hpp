#pragma once
// The launch behind token gathering, scattering and table look-ups.

#include "eflow/core/tensor.hpp"

namespace eflow::detail {

/// y[b, m] = x[b, index[b, m]], or fill (zeros where undefined) where the index is negative. x [B, N, D], index i64 [B, M]
/// and fill [D] row-major, y [B, M, D] row-major. The caller has checked the indices.
void launch_select(const Tensor& x, const Tensor& index, const Tensor& fill, const Tensor& y);

}  // namespace eflow::detail
