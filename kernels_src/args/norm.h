#pragma once
// Arguments of norm.h. Sizes and strides are counted in elements; C is the compute type (f64 for f64, else f32).

namespace eflow::args {

/// Rows lie in batches (block.y) of `rows`; a row is `groups` parts of `width` elements, each normalised for itself:
///   y = (x - mean) * rstd * (base + factor) + offset
/// Without centring mean is 0 and the variance is the mean square. mean and rstd: C [batches, rows, groups].
struct Norm {
  const void* x;
  void* y;             ///< row-major
  const void* factor;  ///< [groups * width] of each batch, or nullptr for 0
  const void* offset;  ///< likewise
  void* mean;          ///< nullptr: not wanted
  void* rstd;          ///< nullptr: not wanted
  double base;
  double eps;
  long long rows, groups, width;
  long long x_stride;                      ///< from row to row
  long long factor_stride, offset_stride;  ///< from batch to batch
  long long rows_per_block;
};

/// The gradients. A block takes rows_per_block rows of a batch, also for the sums over them: dfactor and doffset are
/// C [batches, blocks of a batch, groups * width], to be added up over the middle axis.
struct NormGrad {
  const void* x;
  const void* dy;
  const void* factor;
  const void* mean;
  const void* rstd;
  void* dx;       ///< row-major; nullptr: not wanted
  void* dfactor;  ///< nullptr: not wanted
  void* doffset;  ///< nullptr: not wanted
  double base;
  long long rows, groups, width;
  long long x_stride, dy_stride, factor_stride;
  long long rows_per_block;
};

}  // namespace eflow::args
