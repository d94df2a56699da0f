#pragma once
// Tensor maps for glga kernels whose KernelSpec enables bulk copies (TMA). Internal to core.

#include "eflow/jit/runtime.hpp"
#include "eflow/kernels_src/args/glga.h"

namespace eflow::detail {

/// Prepares a launch of glga_forward, glga_queries_grad or glga_keys_grad: stores the tensor maps
/// in a.walk and returns `spec`. If the tensors cannot be mapped, returns the same KernelSpec with
/// ordinary loads, which the launch may have to compile first.
[[nodiscard]] jit::KernelSpec with_tensor_maps(const jit::Runtime& runtime,
                                               const jit::KernelSpec& spec, std::int64_t samples,
                                               args::Glga& a);

}  // namespace eflow::detail
