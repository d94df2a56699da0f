#pragma once
// A tensor as equally spaced rows, as row-wise kernels take it. Views with a fixed row stride (a
// slice of a wider product, a broadcast row) are used without a copy. Internal to core.

#include "eflow/core/tensor/tensor.hpp"

namespace eflow::detail {

/// Rows of a tensor; sizes in elements.
struct Rows {
  Tensor x;  ///< owns the memory
  std::int64_t count = 0;
  std::int64_t width = 0;   ///< elements per row
  std::int64_t stride = 0;  ///< from row to row
};

/// Returns x as rows that consist of its last `axes` axes, without gaps. Copies if the strides
/// require it. Not recorded.
[[nodiscard]] Rows rows_of(const Tensor& x, int axes = 1);

}  // namespace eflow::detail
