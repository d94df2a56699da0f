#pragma once
// The list of all kernels of ours that are specialised at run time. Every Device defines them; a KernelBuilder or Runtime
// that is used without one defines them with this function.

#include <vector>

#include "eflow/core/base/export.hpp"
#include "eflow/jit/kernel/definitions.hpp"

EFLOW_EXPORT_BEGIN

namespace eflow {

/// Adds them all; adding them again is fine.
void define_kernels(jit::KernelDefinitions& definitions);

namespace detail {

// One function for each family, beside its op.
[[nodiscard]] jit::KernelDefinition gemm_definition();
[[nodiscard]] std::vector<jit::KernelDefinition> glga_definitions();

}  // namespace detail
}  // namespace eflow

EFLOW_EXPORT_END
