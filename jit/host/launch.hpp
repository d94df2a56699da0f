#pragma once
// Launching on the CPU: the blocks of a grid as tasks of the thread pool.

#include <string_view>

#include "eflow/jit/host/checked_text.hpp"
#include "eflow/jit/host/thread_pool.hpp"
#include "eflow/jit/kernel/grid.hpp"
#include "eflow/jit/kernel/isa.hpp"
#include "eflow/jit/kernel/spec.hpp"
#include "eflow/jit/kernel/spec_table.hpp"

namespace eflow::jit {

/// Runs all blocks and waits for them. `name`, `spec` and `isa` are for messages, `memory` for checked
/// texts. Throws InvalidArgument for a tile that does not fit, and DeviceError for the first error of
/// a checked text.
void launch_host(ThreadPool& pool, const HostKernel& kernel, std::string_view name,
                 const KernelSpec& spec, Isa isa, Grid grid, const void* args, std::size_t bytes,
                 const KnownMemory& memory);

}  // namespace eflow::jit
