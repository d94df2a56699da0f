#pragma once
// Runs a GPU block on the CPU. Every thread is a context of its own, switched at barriers and at
// warp-wide instructions. This tests a text's index arithmetic, barriers and waits for copies on
// machines without a GPU. It cannot show speed, nor whether the instructions behave as
// cuda/instructions.h says.

#include <cstddef>
#include <string>

#include "eflow/tests/support/cuda/cuda_emulation_calls.h"

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

}  // namespace eflow::emulated
