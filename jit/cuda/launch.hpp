#pragma once
// Launching on a GPU: one driver call on the caller's stream. It neither compiles, loads, allocates
// nor locks, so a launch can be captured into a graph.

#include "eflow/core/base/export.hpp"
#include "eflow/jit/cuda/module.hpp"
#include "eflow/jit/kernel/grid.hpp"
#include "eflow/jit/kernel/stream.hpp"

EFLOW_EXPORT_BEGIN

namespace eflow::jit {

/// Whether a grid has blocks; a launch without any does nothing. Throws InvalidArgument if it
/// exceeds the hardware's limits (x up to 2^31 - 1, y and z up to 65535).
[[nodiscard]] bool has_blocks(const CudaKernel& kernel, const Grid& grid);

/// Launches a kernel. The driver copies `args` before it returns. Throws what has_blocks() throws,
/// and DeviceError with the launch geometry if the driver reports an error, which may stem from
/// earlier work on the device.
void launch_cuda(const CudaContext& context, const CudaKernel& kernel, const Grid& grid,
                 const void* args, Stream stream);

/// Whether the stream is being captured; false if the driver cannot tell.
[[nodiscard]] bool is_capturing(const CudaContext& context, Stream stream);

/// Waits for all work on the stream. Throws DeviceError if any of it failed.
void synchronize_cuda(const CudaContext& context, Stream stream);

}  // namespace eflow::jit

EFLOW_EXPORT_END
