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

bool has_blocks(const CudaKernel& kernel, const Grid& grid) {
  if (fits(grid)) return true;
  if (is_empty(grid)) return false;
  throw InvalidArgument(str("[cuda] ", kernel.title, ": a grid of ", describe_grid(grid),
                            " blocks; a GPU takes 1 to ", kMostX, " along x, 1 to ", kMostYz,
                            " along y and z"));
}

void launch_cuda(const CudaContext& context, const CudaKernel& kernel, const Grid& grid,
                 const void* args, Stream stream) {
  if (!has_blocks(kernel, grid)) return;
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
      str(kernel.title, ", grid ", describe_grid(grid), ", ", kernel.threads, " threads, ",
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
