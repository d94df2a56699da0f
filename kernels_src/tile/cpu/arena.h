#pragma once
// Bump allocator over the block's scratch memory. A text allocates everything before its loops. An
// Arena passed by value releases the callee's allocations on return.

#include "eflow/kernels_src/tile/base/say.h"

namespace EFLOW_TEXT {

#if defined(EFLOW_CHECKED)
/// Bytes between the tiles of a checked text, which belong to none.
inline constexpr Index kCheckedGap = 256;
#endif

struct Arena {
  char* next;
  const Block& block;
  static constexpr int kMostCounts = 8;
  Index counts[kMostCounts];  ///< rows that left operands have (cpu/matrix_tile.h)
  int used_counts = 0;
  EFLOW_FN explicit Arena(const Block& b) : next(b.scratch), block(b) {}
  EFLOW_FN Index left() const { return block.scratch + block.scratch_bytes - next; }
};

/// Uninitialised memory for `count` E, aligned to a cache line. A tile passes its rows and columns,
/// for the error if it does not fit.
template <class E>
EFLOW_FN E* take(Arena& arena, Index count, Index rows = 0, Index columns = 0) {
  E* const p = reinterpret_cast<E*>(arena.next);
  const Index bytes = ceil_div(count * static_cast<Index>(sizeof(E)), 64) * 64;
  if (bytes > arena.left())
    arena.block.no_room(rows, columns, bytes, arena.left(), arena.block.scratch_bytes);
  arena.next += bytes;
#if defined(EFLOW_CHECKED)
  eflow_checks->tile(p, bytes);
  arena.next += min_of<Index>(kCheckedGap, arena.left());
#endif
  return p;
}

}  // namespace EFLOW_TEXT
