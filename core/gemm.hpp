#pragma once
// Matrix products for ops: strided, batched, written in place. Ops record gradients; this does not.

#include "eflow/core/tensor.hpp"
#include "eflow/kernels/args/gemm.h"

namespace eflow::detail {

/// What is done to the sums y of a product before they are stored.
struct GemmEpilogue {
  Tensor bias = {};                     ///< [N], added; or undefined
  args::GemmGelu gelu = args::kNoGelu;  ///< of y; or the gradient y is taken through it: gelu'(aux) y
  Tensor aux = {};                      ///< laid out like c: gets y before GELU, has it for the gradient
};

/// c = epilogue(alpha a b + beta c): a [..., M, K], b [..., K, N], c [..., M, N] with stride 1 in N. Leading dimensions of a
/// and b broadcast to those of c. a and b f32, f64 or bf16 (then c may be f32), bias and aux as c; sums in f32 (f64).
/// Throws ShapeError, InvalidArgument.
void gemm(const Tensor& a, const Tensor& b, const Tensor& c, double alpha = 1, double beta = 0,
          const GemmEpilogue& epilogue = {});

/// What its text can be tuned in: bytes of a packed row along k, rows of a strip of A, bytes of a row of sums; 0 stands for
/// the text's own. Sizes of a launch: m, n, k, problems.
[[nodiscard]] jit::KernelDefinition gemm_definition();

}  // namespace eflow::detail
