#pragma once
// Arguments of reduce.h.

namespace eflow::args {

/// y[o, i] = scale * sum over r of x[o, r, i], or of x[o, r, i] z[o, r, i] if z is set. All are
/// row-major.
struct Reduce {
  const void* x;
  const void* z;  ///< second factor, or null
  void* y;
  double scale;
  long long outer, reduce, inner;
  long long outer_per_block;  ///< rows per block, used if inner == 1
  long long inner_per_block;  ///< columns per block, used if inner > 1
};

}  // namespace eflow::args
