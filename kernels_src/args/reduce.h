#pragma once
// Arguments of reduce.h.

namespace eflow::args {

/// y[o, i] = scale * sum over r of x[o, r, i] (times z[o, r, i] when z is set); all row-major.
struct Reduce {
  const void* x;
  const void* z;              ///< second factor, or nullptr
  void* y;
  double scale;
  long long outer, reduce, inner;
  long long outer_per_block;  ///< inner == 1: rows of one block
  long long inner_per_block;  ///< inner > 1: columns of one block
};

}  // namespace eflow::args
