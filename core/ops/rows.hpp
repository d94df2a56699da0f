#pragma once
// A tensor seen as rows: what the ops that work row by row hand to their kernel texts. Views whose rows are a fixed
// distance apart (a third of a wider product, a broadcast row) are used in place.

#include "eflow/core/tensor.hpp"

namespace eflow::detail {

struct Rows {
  Tensor x;  ///< keeps the memory
  std::int64_t count = 0;
  std::int64_t width = 0;
  std::int64_t stride = 0;  ///< from row to row, in elements
};

/// The last `axes` axes of x are a row, stored without gaps. Copies only when the strides do not allow this; not
/// recorded.
[[nodiscard]] Rows rows_of(const Tensor& x, int axes = 1);

}  // namespace eflow::detail
