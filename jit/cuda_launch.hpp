#pragma once
// Launching on a GPU: one driver call on the caller's stream. Nothing is compiled, loaded, allocated or locked here, so a
// launch may be captured into a graph.

#include <string_view>

#include "eflow/jit/cuda_module.hpp"
#include "eflow/jit/grid.hpp"
#include "eflow/jit/stream.hpp"

namespace eflow::jit {

/// args are copied by the driver before it returns. A grid without blocks is no launch. `name` and `spec` are for messages.
/// Throws InvalidArgument for a grid no GPU takes (x up to 2^31 - 1, y and z up to 65535); DeviceError with geometry when
/// the driver refuses, which may be for a failure of earlier work on the device.
void launch_cuda(const CudaContext& context, const CudaKernel& kernel, std::string_view name,
                 const Spec& spec, Grid grid, const void* args, Stream stream);

/// Whether the stream is being captured; false also when the driver cannot tell.
[[nodiscard]] bool is_capturing(const CudaContext& context, Stream stream);

/// Returns when all work of the stream is done. Throws DeviceError with what failed in it.
void synchronize_cuda(const CudaContext& context, Stream stream);

}  // namespace eflow::jit
