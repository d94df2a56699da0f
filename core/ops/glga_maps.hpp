#pragma once
// Tensor maps for the walks of the glga texts, where a Spec asks for bulk copies. Internal to core.

#include "eflow/jit/runtime.hpp"
#include "eflow/kernels/args/glga.h"

namespace eflow::detail {

/// What to launch one of glga_forward, glga_queries_grad and glga_keys_grad with: `spec`, and in a.walk the maps that it
/// takes; where there can be no maps of these tensors, the same Spec with ordinary loads, which may have to be prepared.
[[nodiscard]] jit::Spec with_tensor_maps(const jit::Runtime& runtime, const jit::Spec& spec,
                                         std::int64_t samples, args::Glga& a);

}  // namespace eflow::detail
