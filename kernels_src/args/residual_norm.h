#pragma once
// Arguments of residual_norm.h.

#include "eflow/kernels_src/args/norm.h"

namespace eflow::args {

/// h = gate y + x, and the norm of h. block.y selects a batch.
struct ResidualNorm {
  const void* x;
  const void* y;
  const void* gate;              ///< [width] per batch
  void* h;                       ///< row-major; norm.x is its memory
  long long x_stride, y_stride;  ///< between rows
  long long gate_stride;         ///< between batches
  Norm norm;                     ///< of one group
};

/// Gradients of residual_norm: those of norm, which come out of NormGrad, with
///   dx = dh + the norm's,  dy = gate dx,  dgate = sum over rows dx y
struct ResidualNormGrad {
  const void* y;
  const void* gate;
  const void* dh;  ///< null: zeros
  void* dy;        ///< row-major
  void* dgate;     ///< C [batches, blocks per batch, width]; null: not computed
  long long y_stride, dh_stride;
  long long gate_stride;
  NormGrad norm;  ///< its dx is that of x
};

}  // namespace eflow::args
