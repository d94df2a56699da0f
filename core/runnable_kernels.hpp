#pragma once
// Our kernels as `eflow jit tune` and `eflow jit bench` run them: by name, with operands of their own.

#include <vector>

#include "eflow/jit/workload.hpp"

namespace eflow {

/// gemm: C = A B, row-major, `problems` of them; sizes m, n, k, problems.
[[nodiscard]] std::vector<jit::RunnableKernel> runnable_kernels();

}  // namespace eflow
