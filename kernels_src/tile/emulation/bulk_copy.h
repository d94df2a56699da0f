#pragma once
// Emulated replacement of kernels_src/tile/cuda/bulk_copy.h, in its place.

#include "eflow/kernels_src/tile/cuda/instructions.h"
#include "eflow/kernels_src/tile/emulation/calls.h"

#if !defined(EFLOW_BULK_COPIES)
#define EFLOW_BULK_COPIES 0
#endif

namespace EFLOW_TEXT {

inline constexpr bool kBulkCopies = kArch == 90 && EFLOW_BULK_COPIES != 0;

struct CopyBarrier {
  u64 state;
};

EFLOW_FN void open_barrier(CopyBarrier* barrier) {
  emulated::open_barrier(barrier);
}
EFLOW_FN void close_barrier(CopyBarrier* barrier) {
  emulated::close_barrier(barrier);
}
EFLOW_FN void publish_barriers() {}
EFLOW_FN void arrive(CopyBarrier* barrier) {
  emulated::arrive(barrier);
}
EFLOW_FN void wait_for_phase(CopyBarrier* barrier, u32 parity) {
  emulated::wait_for_phase(barrier, parity);
}
EFLOW_FN void copy_box(void* to, int bytes, const void* map, int row, int head, int sample,
                       CopyBarrier* barrier) {
  const int at[] = {0, row, 0, head, sample};
  emulated::copy_box(to, bytes, map, at, barrier);
}

}  // namespace EFLOW_TEXT
