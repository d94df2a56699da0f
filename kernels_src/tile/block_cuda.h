#pragma once
// The block on a GPU: how many threads it has and how they share the rows of a tile. The number of threads is a constant of
// the program, since what a thread holds depends on it.

#include "tile/cuda_instructions.h"

// Before a loop that must not be unrolled.
#if defined(__CUDACC_RTC__)
#define EFLOW_ONE_BY_ONE _Pragma("unroll 1")
#else
#define EFLOW_ONE_BY_ONE
#endif

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

/// R rows in strips of 16, dealt to the warps in turn; a warp holds all columns of its strips. A warp without a strip has
/// the registers all the same, and they hold anything.
template <int R>
struct Strips {
  static constexpr int kAll = (R + 15) / 16;
  static constexpr int kOwn = (kAll + kWarps - 1) / kWarps;
  EFLOW_FN static int index(int own) { return own * kWarps + warp_index(); }
  EFLOW_FN static bool exists(int own) { return (own + 1) * kWarps <= kAll || index(own) < kAll; }
  /// Of the two rows that a lane has in a strip.
  EFLOW_FN static int row(int own, int half) {
    return 16 * index(own) + lane_index() / 4 + 8 * half;
  }
};

/// The first of the two neighbouring columns that a lane has in each strip of 8.
EFLOW_FN int column_of(int strip) {
  return 8 * strip + 2 * (lane_index() % 4);
}

}  // namespace EFLOW_TEXT
