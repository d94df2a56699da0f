#pragma once
// Arguments of optimizer.h. All tensors are row-major; a block takes `per_block` elements.

namespace eflow::args {

/// One AdamW step of one tensor, in place.
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

/// One row of the table that the list kernels take: a parameter, its optimizer state, gradient and
/// average. Blocks first_block, first_block + 1, ... of the launch work on it.
struct ParameterRow {
  void* p;
  void* m;
  void* v;
  const void* grad;  ///< null: p, m and v are not updated
  void* average;     ///< or null
  void* p_bf16;      ///< bf16 copy of p, written with it; or null
  void* average_bf16;
  long long count, first_block;
};

/// AdamW and moving averages of a list of parameters, gradients clipped by their norm. If the norm
/// is not finite, nothing changes.
struct AdamWList {
  const ParameterRow* rows;
  const double* squared_norm;  ///< squared norm of all gradients together
  long long row_count, per_block;
  double clip;  ///< maximum gradient norm; 0: no clipping
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
