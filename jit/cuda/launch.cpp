#include "eflow/jit/cuda/launch.hpp"

#include "eflow/core/base/error.hpp"

namespace eflow::jit {
namespace {

constexpr std::int64_t kMostX = 0x7fffffff, kMostYz = 0xffff;

std::string describe_grid(const Grid& g) {
  return str("[", g.x, ", ", g.y, ", ", g.z, "]");
}

bool is_empty(const Grid& g) {
  return g.x == 0 || g.y == 0 || g.z == 0;
}

bool fits(const Grid& g) {
  return g.x > 0 && g.x <= kMostX && g.y > 0 && g.y <= kMostYz && g.z > 0 && g.z <= kMostYz;
}

}  // namespace

void launch_cuda(const CudaContext& context, const CudaKernel& kernel, std::string_view name,
                 const KernelSpec& spec, Grid grid, const void* args, Stream stream) {
  if (is_empty(grid)) return;
  if (!fits(grid)) {
    throw InvalidArgument(str("[cuda] ", to_string(spec, name), ": a grid of ", describe_grid(grid),
                              " blocks; a GPU takes 1 to ", kMostX, " along x, 1 to ", kMostYz,
                              " along y and z"));
  }
  const CudaContext::Current current(context);
  const CuLaunchConfig config{static_cast<unsigned>(grid.x),
                              static_cast<unsigned>(grid.y),
                              static_cast<unsigned>(grid.z),
                              kernel.threads,
                              1,
                              1,
                              kernel.shared_bytes,
                              static_cast<CuStream>(stream.handle),
                              nullptr,
                              0};
  void* parameters[] = {const_cast<void*>(args)};  // the driver only reads them
  const CuResult code = context.api().launch(&config, kernel.function, parameters, nullptr);
  if (code == 0) return;
  context.check(
      code, "cuLaunchKernelEx",
      str(to_string(spec, name), ", grid ", describe_grid(grid), ", ", kernel.threads, " threads, ",
          kernel.shared_bytes, " B of shared memory (or an error of earlier work)"));
}

bool is_capturing(const CudaContext& context, Stream stream) {
  const CudaContext::Current current(context);
  int status = 0;
  return context.api().stream_capturing(static_cast<CuStream>(stream.handle), &status) == 0 &&
         status != 0;
}

void synchronize_cuda(const CudaContext& context, Stream stream) {
  const CudaContext::Current current(context);
  context.check(context.api().stream_synchronize(static_cast<CuStream>(stream.handle)),
                "cuStreamSynchronize", "a stream");
}

}  // namespace eflow::jit
