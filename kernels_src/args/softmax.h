#pragma once
// Arguments of softmax.h.

namespace eflow::args {

/// y = softmax of each row of x.
struct Softmax {
  const void* x;
  void* y;  ///< row-major
  long long rows, width;
  long long x_stride;  ///< between rows
  long long rows_per_block;
};

/// dx = y (dy - sum(y dy)), from y (row-major) and dy.
struct SoftmaxGrad {
  const void* y;
  const void* dy;
  void* dx;  ///< row-major
  long long rows, width;
  long long dy_stride;
  long long rows_per_block;
};

}  // namespace eflow::args
