#pragma once
// Our kernels as `eflow jit tune` and `eflow jit bench` run them: by name, with operands of their own.

#include <vector>

#include "eflow/jit/workload.hpp"

namespace eflow {

/// gemm: C = A B, row-major, `problems` of them; sizes m, n, k, problems.
/// glga_forward, glga_state, glga_rows_grad, glga_queries_grad, glga_keys_grad, glga_band_grad: attention of one sample;
/// sizes n (tokens that are there), heads, radius (in places of the raster, where the Spec has none). A tile of 0 is the one
/// that glga() takes untuned; glga_join_grad takes that of glga_band_grad and runs with it.
/// cublaslt: a GPU library's products, whose algorithms are what is tuned (core/product_key.hpp); sizes m, n, k, problems.
[[nodiscard]] std::vector<jit::RunnableKernel> runnable_kernels();

/// How a linear layer's product ends.
enum class ProductEnd { kPlain, kBias, kBiasGelu, kBiasGeluKept, kGeluGradient };

/// The product of a linear layer, by that name: in: dtype of A and B, out: of C; A stored [K, M], B stored [N, K] where they
/// are transposed. Operands and rows on 16 bytes, f32 as TF32.
[[nodiscard]] jit::KernelRef product_kernel(DType in, DType out, bool a_transposed,
                                            bool b_transposed, ProductEnd end);

namespace detail {
[[nodiscard]] std::vector<jit::RunnableKernel> runnable_glga();
[[nodiscard]] jit::RunnableKernel runnable_product();
}  // namespace detail

}  // namespace eflow
