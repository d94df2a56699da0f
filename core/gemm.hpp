#pragma once
// Matrix products for ops: strided, batched, written in place. Ops record gradients; this does not.

#include "eflow/core/tensor.hpp"

namespace eflow::detail {

/// c = alpha a b + beta c (+ bias): a [..., M, K], b [..., K, N], c [..., M, N] with stride 1 in N, bias [N] or undefined.
/// Leading dimensions of a and b broadcast to those of c. a and b f32, f64 or bf16 (then c may be f32), bias as c; sums in
/// f32 (f64). Throws ShapeError, InvalidArgument.
void gemm(const Tensor& a, const Tensor& b, const Tensor& c, double alpha = 1, double beta = 0,
          const Tensor& bias = Tensor());

/// What its text can be tuned in: bytes of a packed row along k, rows of a strip of A, bytes of a row of sums; 0 stands for
/// the text's own. Sizes of a launch: m, n, k, problems.
[[nodiscard]] jit::KernelDefinition gemm_definition();

}  // namespace eflow::detail
