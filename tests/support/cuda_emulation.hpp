#pragma once
// A block of a GPU on the CPU: every thread a context of its own, switched at barriers and at instructions that a warp does
// together, so that a text's index arithmetic, its barriers and its waits for copies are put to the test where there is no
// GPU. What it cannot show: speed, and whether the instructions do what cuda_instructions.h says that they do.

#include <cstddef>
#include <string>

#include "support/cuda_emulation_calls.h"

namespace eflow::emulated {

/// Orders that a real GPU may produce, chosen to hurt: a warp runs until it has to wait for others, the first warps first
/// or the last ones; copies are done at once or not before somebody waits for them.
struct Schedule {
  bool last_first = false;
  bool late_copies = false;
};

struct Launch {
  int threads = 256;
  std::size_t shared_bytes = 0;  ///< dynamic shared memory; begins filled with NaN
  long long x = 1, y = 1, z = 1;
  Schedule schedule;
};

struct Outcome {
  std::string error;             ///< empty when the launch came to its end
  long long matrix_loads = 0;    ///< groups of eight rows read by load_matrices
  long long bank_conflicts = 0;  ///< of them, those whose rows share banks
  long long products = 0, group_products = 0, copies = 0;  ///< of warps, of warpgroups
  long long bulk_copies = 0;     ///< by tensor maps
};

/// `kernel` is a text's function as in jit/builtin_entry.hpp. Threads: one launch at a time.
[[nodiscard]] Outcome run(const Launch& launch, void (*kernel)(const void* block, const void* args),
                          const void* args);

}  // namespace eflow::emulated
