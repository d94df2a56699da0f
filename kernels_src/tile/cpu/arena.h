#pragma once
// Bump allocator over the block's scratch memory. A text allocates everything before its loops. An
// Arena passed by value releases the callee's allocations on return.

#include "eflow/kernels_src/tile/base/types.h"

namespace EFLOW_TEXT {

struct Arena {
  char* next;
  EFLOW_FN explicit Arena(const Block& block) : next(block.scratch) {}
};

/// Uninitialised memory for `count` E, aligned to a cache line.
template <class E>
EFLOW_FN E* take(Arena& arena, Index count) {
  E* const p = reinterpret_cast<E*>(arena.next);
  arena.next += ceil_div(count * static_cast<Index>(sizeof(E)), 64) * 64;
  return p;
}

}  // namespace EFLOW_TEXT
