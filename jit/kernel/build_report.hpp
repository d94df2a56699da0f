#pragma once
// Reporting of prepare(): where each kernel came from, callbacks during compiles, and counters.

#include <cstdint>
#include <functional>
#include <string_view>

#include "eflow/core/base/export.hpp"

EFLOW_EXPORT_BEGIN

namespace eflow::jit {

struct BuildRequest;

/// The assembler's report on a GPU kernel; all 0 for the CPU. Registers and bytes are per thread,
/// `shared` is bytes per block.
struct Resources {
  int registers = 0;
  int spill_stores = 0, spill_loads = 0;
  int stack = 0;
  int shared = 0;
};

/// The source of a kernel.
enum class Origin { kBuiltin, kMemory, kPack, kDisk, kCompiled };
/// Returns "built in", "memory", "pack", "disk cache" or "compiled".
[[nodiscard]] std::string_view name_of(Origin origin);

/// Callbacks; each may be empty. Called concurrently from compile threads; must not throw.
struct Events {
  /// Called if no cache has the kernel; `why` is the last cache's reason.
  std::function<void(const BuildRequest&, std::string_view why)> on_miss = {};
  std::function<void(const BuildRequest&)> on_compile_begin = {};
  /// `error` is empty on success.
  std::function<void(const BuildRequest&, double seconds, std::string_view error)> on_compile_end =
      {};
};

/// Counters of a KernelBuilder since its construction.
struct Stats {
  std::uint64_t memory_hits = 0, pack_hits = 0, disk_hits = 0, misses = 0, compiled = 0, failed = 0;
  double compile_seconds = 0;  ///< summed over all threads
};

}  // namespace eflow::jit

EFLOW_EXPORT_END
