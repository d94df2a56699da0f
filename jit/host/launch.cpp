#include "eflow/jit/host/launch.hpp"

#include <atomic>

#include "eflow/core/base/error.hpp"
#include "eflow/jit/kernel/builtin_entry.hpp"

namespace eflow::jit {
namespace {

constexpr long long kScratchBytes = ThreadPool::kScratchBytes;

/// A tile that did not fit, thrown out of a block.
struct NoRoom {
  long long rows = 0, columns = 0, bytes = 0, left = 0, all = 0;
};

[[noreturn]] void no_room(long long rows, long long columns, long long bytes, long long left,
                          long long all) {
  throw NoRoom{rows, columns, bytes, left, all};
}

/// The launch that the pool's threads share.
struct Launch {
  const HostKernel& kernel;
  Grid grid;
  const void* args;
  std::size_t bytes;
  const std::vector<MemoryRegion>& memory;
  std::atomic<bool> failed = false;
  NoRoom no_room = {};     ///< of the first block that failed
  std::string error = "";  ///< of a checked text, instead
};

void run_block(Launch& launch, const HostBlock& block) {
  const HostKernel& kernel = launch.kernel;
  if (!kernel.checked) return kernel.run(&block, launch.args);
  const std::string error =
      run_checked({kernel.run, launch.args, launch.bytes, launch.memory}, block);
  if (!error.empty() && !launch.failed.exchange(true))
    launch.error = str("block (", block.x, ", ", block.y, ", ", block.z, ") ", error);
}

void run_blocks(void* context, std::int64_t begin, std::int64_t end, char* scratch) {
  Launch& launch = *static_cast<Launch*>(context);
  const Grid& g = launch.grid;
  HostBlock block{0, 0, 0, g.x, g.y, g.z, scratch, kScratchBytes, no_room};
  try {
    for (std::int64_t i = begin; i < end; ++i) {
      block.x = i % g.x;
      block.y = i / g.x % g.y;
      block.z = i / (g.x * g.y);
      run_block(launch, block);
    }
  } catch (const NoRoom& e) {  // the pool's work must not throw
    if (!launch.failed.exchange(true)) launch.no_room = e;
  }
}

/// "a tile of 64 x 128 (32768 B)".
std::string describe(const NoRoom& e) {
  if (e.rows == 0) return str("memory of ", e.bytes, " B");
  return str("a tile of ", e.rows, " x ", e.columns, " (", e.bytes, " B)");
}

}  // namespace

void launch_host(ThreadPool& pool, const HostKernel& kernel, std::string_view name,
                 const KernelSpec& spec, Isa isa, Grid grid, const void* args, std::size_t bytes,
                 const KnownMemory& memory) {
  const auto regions = kernel.checked ? memory.regions() : std::vector<MemoryRegion>();
  Launch launch{kernel, grid, args, bytes, regions};
  pool.run(grid.x * grid.y * grid.z, run_blocks, &launch);
  if (!launch.failed) return;
  const std::string kernel_name = str("[jit] ", to_string(spec, name), " for ", name_of(isa));
  if (!launch.error.empty()) throw DeviceError(str(kernel_name, ", ", launch.error));
  throw InvalidArgument(str(kernel_name, ": ", describe(launch.no_room), " does not fit the ",
                            launch.no_room.left, " B that are left of a block's ",
                            launch.no_room.all,
                            " B of scratch memory; use smaller or fewer tiles"));
}

}  // namespace eflow::jit
