#pragma once
// EFLOW_BACKEND=emulated: texts in their form for GPUs, compiled by the host compiler with checks, run as
// thread blocks on an emulated GPU (machine.hpp). Slow; for finding what differs between CPU and GPU.

#include <string_view>

#include "eflow/jit/host/checked_text.hpp"
#include "eflow/jit/kernel/grid.hpp"
#include "eflow/jit/kernel/spec.hpp"
#include "eflow/jit/kernel/spec_table.hpp"

namespace eflow::jit {

/// Gives a loaded text the emulated GPU's functions. Throws DeviceError if it is not an emulated one.
void connect_emulated(HostKernel& kernel, int threads);

/// Runs all blocks, one after another. One launch at a time. Throws DeviceError with the first error.
void launch_emulated(const HostKernel& kernel, std::string_view name, const KernelSpec& spec,
                     Grid grid, const void* args, std::size_t bytes, const KnownMemory& memory);

}  // namespace eflow::jit
