#pragma once
// Our kernels as `eflow jit tune` and `eflow jit bench` run them: by name, with operands of their own.

#include <vector>

#include "eflow/jit/workload.hpp"

namespace eflow {

/// gemm: C = A B, row-major, `problems` of them; sizes m, n, k, problems.
/// glga_forward, glga_state, glga_rows_grad, glga_queries_grad, glga_keys_grad, glga_band_grad: attention of one sample;
/// sizes n (tokens that are there), heads, radius (in places of the raster, where the Spec has none). A tile of 0 is the one
/// that glga() takes untuned; glga_join_grad takes that of glga_band_grad and runs with it.
[[nodiscard]] std::vector<jit::RunnableKernel> runnable_kernels();

namespace detail {
[[nodiscard]] std::vector<jit::RunnableKernel> runnable_glga();
}

}  // namespace eflow
