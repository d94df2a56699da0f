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

/// A parameter with all that a step reads and writes beside it. Blocks first_block, ... of a launch over a list are its own.
struct ParameterRow {
  void* p;
  void* m;
  void* v;
  const void* grad;  ///< null: p, m and v stay as they are
  void* average;     ///< or null
  long long count, first_block;
};

/// AdamW and moving averages of a list, gradients clipped by their norm. Nothing changes when the norm is not finite.
struct AdamWList {
  const ParameterRow* rows;
  const double* squared_norm;  ///< of all gradients
  long long row_count, per_block;
  double clip;  ///< largest norm; 0: any
  double beta1, beta2, eps;
  double decay, rate, root_correction;  ///< as in AdamW
  double average_weight;                ///< average += average_weight (p - average)
};

/// partial[block.x] = sum of the squares of the block's gradients, in f64.
struct SquaresList {
  const ParameterRow* rows;
  double* partial;
  long long row_count, per_block;
};

}  // namespace eflow::args
