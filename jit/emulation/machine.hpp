#pragma once
// Runs a GPU block on the CPU. Every thread is a context of its own, switched at barriers and at
// warp-wide instructions. This tests a text's index arithmetic, barriers and waits for copies on
// machines without a GPU. It cannot show speed, nor whether the instructions behave as
// cuda/instructions.h says.

#include <cstddef>
#include <functional>
#include <string>

#include "eflow/core/base/export.hpp"
#include "eflow/kernels_src/tile/emulation/calls.h"

EFLOW_EXPORT_BEGIN

namespace eflow::emulated {

/// Execution orders that a real GPU may produce, chosen to expose races. A warp runs until it must
/// wait; the first or the last warps run first; copies execute immediately or only when awaited.
struct Schedule {
  bool last_first = false;
  bool late_copies = false;
};

struct Launch {
  int threads = 256;
  std::size_t shared_bytes = 0;  ///< dynamic shared memory; initially filled with NaN
  long long x = 1, y = 1, z = 1;
  Schedule schedule;
  /// Looks for races on shared memory: the uses that the text reports with check_access().
  bool races = false;
  const char* statics = nullptr;  ///< shared variables of the text, besides the dynamic memory
  std::size_t static_bytes = 0;
  /// Called before a thread's first instruction in each block, with its position.
  std::function<void(long long x, long long y, long long z)> begin_block = {};
};

struct Outcome {
  std::string error;             ///< empty if the launch finished
  long long matrix_loads = 0;    ///< groups of eight rows read by load_matrices
  long long bank_conflicts = 0;  ///< those of them whose rows share banks
  /// Mma.sync and wgmma products, asynchronous copies
  long long products = 0, group_products = 0, copies = 0;
  long long bulk_copies = 0;  ///< copies by tensor maps
};

/// Runs a launch. `kernel` is a text's function as in jit/kernel/builtin_entry.hpp. One launch at a time.
[[nodiscard]] Outcome run(const Launch& launch, void (*kernel)(const void* block, const void* args),
                          const void* args);

/// The machine's functions, for texts that are loaded.
[[nodiscard]] const Calls& calls();

// For texts that report their accesses, during run():

/// Whether the running thread uses memory of the block's own: its stack or shared memory. `error`
/// receives the race that it is part of.
[[nodiscard]] bool check_access(const char* p, std::size_t bytes, bool writes, std::string& error);
/// Ends the launch with the error "thread 7: ...". Nothing on the caller's stack is destroyed.
[[noreturn]] void fail(std::string error);

}  // namespace eflow::emulated

EFLOW_EXPORT_END
