#pragma once
// Arguments of qk_norm.h. Sizes and strides are counted in elements; C is the compute type (f64 for
// f64, else f32).

namespace eflow::args {

/// q and k of each row of a product [rows, >= 3 D] whose columns are q, k and v, D = 2 heads half:
/// both are RMS-normalised over D, multiplied by their weights, rounded to the stored type, and each
/// pair (2i, 2i + 1) of each head is rotated by angle i of the row's table line.
struct QkNorm {
  const void* x;
  void* y[2];             ///< of q and k: row-major [rows, D]
  const void* weight[2];  ///< [D]
  void* rstd;             ///< C [2, rows]; null: not computed
  const void* cos;        ///< [table_rows, half], row-major
  const void* sin;
  double eps;
  long long rows, table_rows;  ///< row r uses table line r % table_rows
  long long heads, half;
  long long x_stride;  ///< between rows
  long long rows_per_block;
};

/// Gradients of qk_norm: the whole gradient of the product, that of v included.
struct QkNormGrad {
  const void* x;
  const void* dy[3];      ///< of q, k and v
  const void* weight[2];  ///< [D]
  const void* rstd;
  const void* cos;
  const void* sin;
  void* dx;       ///< [rows, 3 D], row-major
  void* dweight;  ///< C [2, blocks, D], to be summed over the blocks; null: not computed
  long long rows, table_rows;
  long long heads, half;
  long long x_stride, dy_stride[3];
  long long rows_per_block;
};

}  // namespace eflow::args
