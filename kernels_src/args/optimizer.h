#pragma once
// Arguments of optimizer.h. All tensors are row-major; a block is per_block elements.

namespace eflow::args {

struct AdamW {
  void* p;
  void* m;
  void* v;
  const void* grad;
  double grad_scale;
  double beta1, beta2, eps;
  double decay;            ///< 1 - lr weight_decay
  double rate;             ///< lr / (1 - beta1^step)
  double root_correction;  ///< 1 / sqrt(1 - beta2^step)
  long long count, per_block;
};

/// average += weight (value - average)
struct Lerp {
  void* average;
  const void* value;
  double weight;
  long long count, per_block;
};

/// partial[block.x] = sum of the squares of the block's elements, in f64.
struct SumOfSquares {
  const void* x;
  double* partial;
  long long count, per_block;
};

}  // namespace eflow::args
