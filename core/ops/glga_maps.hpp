#pragma once
// Tensor maps for glga kernels whose Spec enables bulk copies (TMA). Internal to core.

#include "eflow/jit/runtime.hpp"
#include "eflow/kernels/args/glga.h"

namespace eflow::detail {

/// Prepares a launch of glga_forward, glga_queries_grad or glga_keys_grad: stores the tensor maps
/// in a.walk and returns `spec`. If the tensors cannot be mapped, returns the same Spec with
/// ordinary loads, which the launch may have to compile first.
[[nodiscard]] jit::Spec with_tensor_maps(const jit::Runtime& runtime, const jit::Spec& spec,
                                         std::int64_t samples, args::Glga& a);

}  // namespace eflow::detail
