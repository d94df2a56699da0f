#pragma once
// The block's scratch memory, handed out from its beginning; a block takes all it needs before its loops.

#include "tile/types.h"

namespace EFLOW_TEXT {

struct Arena {
  char* next;
  EFLOW_FN explicit Arena(const Block& block) : next(block.scratch) {}
};

/// Memory for `count` E, aligned to a cache line, with any contents.
template <class E>
EFLOW_FN E* take(Arena& arena, Index count) {
  E* const p = reinterpret_cast<E*>(arena.next);
  arena.next += ceil_div(count * static_cast<Index>(sizeof(E)), 64) * 64;
  return p;
}

}  // namespace EFLOW_TEXT
