#pragma once
// The thread block on a GPU: its thread count and the distribution of a tile's rows over threads.
// The thread count is a compile-time constant, because the size of each thread's share depends on
// it.

#include "eflow/kernels_src/tile/cuda/instructions.h"

namespace EFLOW_TEXT {

#if !defined(EFLOW_THREADS)
#define EFLOW_THREADS 256
#endif
inline constexpr int kThreads = EFLOW_THREADS;
inline constexpr int kWarps = kThreads / 32;
static_assert(kThreads % 32 == 0 && kWarps >= 1 && kWarps <= 32);

EFLOW_FN int lane_index() {
  return thread_index() % 32;
}
EFLOW_FN int warp_index() {
  return thread_index() / 32;
}

/// n rounded up to a multiple of `to`.
constexpr int whole(int n, int to) {
  return (n + to - 1) / to * to;
}

/// Distribution of R rows over the block: strips of 16 rows, dealt round-robin to the warps. A warp
/// holds all columns of its strips. A warp without a strip still has the registers; their contents
/// are undefined.
template <int R>
struct Strips {
  static constexpr int kAll = (R + 15) / 16;
  static constexpr int kOwn = (kAll + kWarps - 1) / kWarps;
  EFLOW_FN static int index(int own) { return own * kWarps + warp_index(); }
  EFLOW_FN static bool exists(int own) { return (own + 1) * kWarps <= kAll || index(own) < kAll; }
  /// Row of one of the two rows that a lane holds in a strip.
  EFLOW_FN static int row(int own, int half) {
    return 16 * index(own) + lane_index() / 4 + 8 * half;
  }
};

/// The first of the two adjacent columns that a lane holds in each strip of 8 columns.
EFLOW_FN int column_of(int strip) {
  return 8 * strip + 2 * (lane_index() % 4);
}

}  // namespace EFLOW_TEXT
