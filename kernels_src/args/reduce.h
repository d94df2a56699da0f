#pragma once
// Arguments of reduce.h.

namespace eflow::args {

/// What is summed: the constant of reduce.h's KernelSpec.
enum ReduceTerms : int {
  kPlainTerms,          // x
  kProducts,            // x z
  kSquaredDifferences,  // (x - z)^2
};

/// y[o, i] = scale * sum over r of the terms at [o, r, i]. All are row-major.
struct Reduce {
  const void* x;
  const void* z;  ///< null for kPlainTerms
  void* y;
  double scale;
  long long outer, reduce, inner;
  long long outer_per_block;  ///< rows per block, used if inner == 1
  long long inner_per_block;  ///< columns per block, used if inner > 1
};

}  // namespace eflow::args
