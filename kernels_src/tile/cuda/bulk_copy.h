#pragma once
// Bulk copies of whole tiles by the tensor memory accelerator (TMA) of sm_90a: one thread issues
// the copy, and a barrier in shared memory (mbarrier) signals its completion. cuda/matrix_tile.h's
// pipeline() is the only caller of the barriers. All PTX of these instructions is in this file, so
// that tests can replace it (see instructions.h). Emulated only so far
// (docs/cuda.md). [PTX ISA 8.0: cp.async.bulk.tensor, mbarrier]

#include "eflow/kernels_src/tile/cuda/instructions.h"

// 1: pipelines load a tile by bulk copy if the view has a tensor map.
#if !defined(EFLOW_BULK_COPIES)
#define EFLOW_BULK_COPIES 0
#endif

namespace EFLOW_TEXT {

#if defined(__CUDA_ARCH_FEAT_SM90_ALL)
inline constexpr bool kBulkCopies = EFLOW_BULK_COPIES != 0;
#else
inline constexpr bool kBulkCopies = false;
#endif

/// A barrier in shared memory. It runs through phases, the first with parity 0. A phase completes
/// when one thread has arrived and all bytes that it announced have been copied.
struct CopyBarrier {
  u64 state;
};

/// Initialises a barrier; called by one thread. publish_barriers() and a block barrier must follow
/// before other threads or a copy use it.
EFLOW_FN void open_barrier(CopyBarrier* barrier) {
  asm volatile("mbarrier.init.shared::cta.b64 [%0], 1;" ::"r"(shared_address(barrier)) : "memory");
}
/// Invalidates a barrier; called by one thread when no thread waits on it any more.
EFLOW_FN void close_barrier(CopyBarrier* barrier) {
  asm volatile("mbarrier.inval.shared::cta.b64 [%0];" ::"r"(shared_address(barrier)) : "memory");
}
/// Makes barrier initialisations visible to copies, and orders copies after earlier writes to
/// shared memory. Called by all threads.
EFLOW_FN void publish_barriers() {
  asm volatile("fence.mbarrier_init.release.cluster;\nfence.proxy.async.shared::cta;" ::: "memory");
}

/// Arrives at the barrier, after this thread has announced all copies of the phase.
EFLOW_FN void arrive(CopyBarrier* barrier) {
  asm volatile("mbarrier.arrive.shared::cta.b64 _, [%0];" ::"r"(shared_address(barrier))
               : "memory");
}
/// Whether the phase of this parity is complete; may suspend the thread for a short time.
EFLOW_FN bool has_passed(CopyBarrier* barrier, u32 parity) {
  u32 passed;
  asm volatile(
      "{\n.reg .pred p;\n"
      "mbarrier.try_wait.parity.shared::cta.b64 p, [%1], %2;\n"
      "selp.u32 %0, 1, 0, p;\n}"
      : "=r"(passed)
      : "r"(shared_address(barrier)), "r"(parity)
      : "memory");
  return passed != 0;
}
/// Waits until the phase of this parity is complete; its copies are then visible to this thread.
EFLOW_FN void wait_for_phase(CopyBarrier* barrier, u32 parity) {
  while (!has_passed(barrier, parity)) {
  }
}

/// Starts copying the map's box, `bytes` large, from `row` of a head of a sample; elements outside
/// the tensor become 0. Called by one thread, before it arrives at the barrier. `to` is aligned to
/// 128 bytes. The map's coordinates are: element within a 16-byte chunk, row, chunk, head, sample.
EFLOW_FN void copy_box(void* to, int bytes, const void* map, int row, int head, int sample,
                       CopyBarrier* barrier) {
  asm volatile(
      "mbarrier.expect_tx.relaxed.cta.shared::cta.b64 [%0], %1;" ::"r"(shared_address(barrier)),
      "r"(bytes)
      : "memory");
  asm volatile(
      "cp.async.bulk.tensor.5d.shared::cluster.global.mbarrier::complete_tx::bytes "
      "[%0], [%1, {%3, %4, %3, %5, %6}], [%2];" ::"r"(shared_address(to)),
      "l"(map), "r"(shared_address(barrier)), "r"(0), "r"(row), "r"(head), "r"(sample)
      : "memory");
}

}  // namespace EFLOW_TEXT
