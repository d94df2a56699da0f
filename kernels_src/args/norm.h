#pragma once
// Arguments of norm.h. Sizes and strides are counted in elements; C is the compute type (f64 for
// f64, else f32).

namespace eflow::args {

/// block.y selects a batch of `rows` rows. A row has `groups` parts of `width` elements, each
/// normalised separately:
///   y = (x - mean) * rstd * (base + factor) + offset
/// Without centring, mean is 0 and the variance is the mean square. mean and rstd: C [batches,
/// rows, groups].
struct Norm {
  const void* x;
  void* y;             ///< row-major
  const void* factor;  ///< [groups * width] per batch; null: 0
  const void* offset;  ///< likewise
  void* mean;          ///< null: not computed
  void* rstd;          ///< null: not computed
  double base;
  double eps;
  long long rows, groups, width;
  long long x_stride;                      ///< between rows
  long long factor_stride, offset_stride;  ///< between batches
  long long rows_per_block;
};

/// Gradients of norm. A block takes rows_per_block rows of a batch and also sums dfactor and
/// doffset over them: both are C [batches, blocks per batch, groups * width], to be summed over the
/// middle axis.
struct NormGrad {
  const void* x;
  const void* dy;
  const void* factor;
  const void* mean;
  const void* rstd;
  void* dx;       ///< row-major; null: not computed
  void* dfactor;  ///< null: not computed
  void* doffset;  ///< null: not computed
  double base;
  long long rows, groups, width;
  long long x_stride, dy_stride, factor_stride;
  long long rows_per_block;
};

}  // namespace eflow::args
