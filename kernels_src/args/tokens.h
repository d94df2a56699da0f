#pragma once
// Arguments of tokens.h. Sizes and strides are counted in elements.

namespace eflow::args {

/// y[b, m] = x[b, index[b, m]], or fill if the index is negative. b is block.y.
struct SelectRows {
  const void* x;
  void* y;                 ///< row-major [batches, rows, width]
  const void* fill;        ///< [width]; null: zeros
  const long long* index;  ///< [batches, rows]
  long long rows, width;
  long long x_batch_stride, x_row_stride;
  long long rows_per_block;
};

/// partial[block.x] = sum of the block's rows whose index is negative: the gradient of
/// SelectRows::fill.
struct SumUnselected {
  const void* x;
  const long long* index;
  void* partial;  ///< compute type, [blocks, width]
  long long rows, width;
  long long x_stride;
  long long rows_per_block;
};

}  // namespace eflow::args
