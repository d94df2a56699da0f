#pragma once
// The kernels that `eflow jit tune` and `eflow jit bench` can run: by name, with generated
// operands.

#include <vector>

#include "eflow/core/base/export.hpp"
#include "eflow/jit/tune/workload.hpp"

EFLOW_EXPORT_BEGIN

namespace eflow {

/// Returns the kernels, with their sizes:
/// - gemm: C = A B, row-major, for a batch of `problems`; sizes m, n, k, problems.
/// - glga_forward, glga_state, glga_rows_grad, glga_queries_grad, glga_keys_grad, glga_band_grad:
///   attention of one sample; sizes n (tokens after dropping), heads, radius (in raster positions,
///   if the KernelSpec has none). A tile of 0 in the KernelSpec is replaced by the default. glga_join_grad runs
///   with glga_band_grad and uses its tile.
/// - cublaslt: products of cuBLASLt, whose algorithms are tuned (core/cuda/product_key.hpp); sizes m, n,
///   k, problems.
[[nodiscard]] std::vector<jit::TunableKernel> tunable_kernels();

/// Epilogue of a linear layer's product. kBiasGeluKept also stores the input of GELU, for the
/// backward pass.
enum class ProductEnd { kPlain, kBias, kBiasGelu, kBiasGeluKept, kGeluGradient };

/// Returns the cublaslt kernel of a linear layer's product. in: dtype of A and B; out: of C. A
/// transposed operand is stored as [K, M] or [N, K]. Operands and rows are 16-byte aligned, and f32
/// factors are rounded to TF32.
[[nodiscard]] jit::KernelRef product_kernel(DType in, DType out, bool a_transposed,
                                            bool b_transposed, ProductEnd end);

}  // namespace eflow

EFLOW_EXPORT_END
