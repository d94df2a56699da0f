#pragma once
// Our kernels as `eflow jit tune` and `eflow jit bench` run them: by name, with operands of their own.

#include <vector>

#include "eflow/jit/workload.hpp"

namespace eflow {

/// gemm: C = A B, row-major, `problems` of them; sizes m, n, k, problems.
/// glga_forward: attention of one sample; sizes n (tokens that are there), heads, radius (where the Spec has none).
[[nodiscard]] std::vector<jit::RunnableKernel> runnable_kernels();

namespace detail {
[[nodiscard]] jit::RunnableKernel runnable_glga_forward();
}

}  // namespace eflow
