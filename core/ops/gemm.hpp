#pragma once
// Strided, batched matrix products with an epilogue, written into an existing tensor. Not recorded:
// used by ops and their vjps.

#include "eflow/core/tensor/tensor.hpp"
#include "eflow/kernels_src/args/gemm.h"

namespace eflow::detail {

/// Transforms the result y of a product before it is stored.
struct GemmEpilogue {
  Tensor bias = {};                     ///< [N], added to y; or undefined
  args::GemmGelu gelu = args::kNoGelu;  ///< kGeluOfSum: gelu(y); kGeluGradient: gelu'(aux) y
  Tensor aux = {};  ///< of c's shape and strides; kGeluOfSum stores y in it, kGeluGradient reads it
};

/// Computes c = epilogue(alpha a b + beta c): a [..., M, K], b [..., K, N], c [..., M, N] with
/// stride 1 in N. Leading dimensions of a and b broadcast to those of c. a and b have one dtype,
/// f32, f64 or bf16; c, bias and aux have the same, or f32 if a is bf16. Accumulates in f32 (f64
/// for f64). Throws ShapeError, InvalidArgument.
void gemm(const Tensor& a, const Tensor& b, const Tensor& c, double alpha = 1, double beta = 0,
          const GemmEpilogue& epilogue = {});

}  // namespace eflow::detail
