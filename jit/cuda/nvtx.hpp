#pragma once
// Named ranges for NVIDIA's profilers, through NVTX if libnvToolsExt is installed; otherwise each
// call costs one branch.

#include "eflow/core/base/export.hpp"

EFLOW_EXPORT_BEGIN

namespace eflow::jit {

/// Opens a range on the calling thread. `name` is copied; ranges nest.
void nvtx_push(const char* name);
/// Closes the innermost range of the calling thread.
void nvtx_pop();

}  // namespace eflow::jit

EFLOW_EXPORT_END
