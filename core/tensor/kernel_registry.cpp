#include "eflow/core/tensor/kernel_registry.hpp"

namespace eflow {

void define_kernels(jit::KernelDefinitions& definitions) {
  definitions.add(detail::gemm_definition());
  for (const jit::KernelDefinition& d : detail::glga_definitions()) definitions.add(d);
}

}  // namespace eflow
