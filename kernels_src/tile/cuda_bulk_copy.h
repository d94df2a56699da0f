#pragma once
// Copies of whole tiles by the copy engine of sm_90a (its tensor memory accelerator): one thread says what is to be copied
// where, and a barrier in shared memory says when it is there. Every line of their PTX is here, for the reason that
// cuda_instructions.h gives. Not run on a GPU yet.
// [PTX ISA 8.0: cp.async.bulk.tensor, mbarrier]

#include "tile/cuda_warpgroup.h"

// Whether pipelines take their tiles through tensor maps where they have one.
#if !defined(EFLOW_BULK_COPIES)
#define EFLOW_BULK_COPIES 0
#endif

namespace EFLOW_TEXT {

#if defined(__CUDA_ARCH_FEAT_SM90_ALL)
inline constexpr bool kBulkCopies = EFLOW_BULK_COPIES != 0;
#else
inline constexpr bool kBulkCopies = false;
#endif

/// In shared memory. It goes through phases, the first with parity 0: one is over when one thread has arrived and all the
/// bytes that it was told to expect are there.
struct CopyBarrier {
  u64 state;
};

/// By one thread. Before others, or a copy, use it: publish_barriers() and a barrier of the block.
EFLOW_FN void open_barrier(CopyBarrier* barrier) {
  asm volatile("mbarrier.init.shared::cta.b64 [%0], 1;" ::"r"(shared_address(barrier)) : "memory");
}
/// By one thread, when nobody waits for it any more.
EFLOW_FN void close_barrier(CopyBarrier* barrier) {
  asm volatile("mbarrier.inval.shared::cta.b64 [%0];" ::"r"(shared_address(barrier)) : "memory");
}
/// By all threads: copies see barriers opened before, and come after what was written to shared memory before.
EFLOW_FN void publish_barriers() {
  asm volatile("fence.mbarrier_init.release.cluster;\nfence.proxy.async.shared::cta;" ::: "memory");
}

/// Ends what one thread has to say of a phase.
EFLOW_FN void arrive(CopyBarrier* barrier) {
  asm volatile("mbarrier.arrive.shared::cta.b64 _, [%0];" ::"r"(shared_address(barrier))
               : "memory");
}
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
/// Returns when the phase of this parity is over; what was copied in it is there for this thread.
EFLOW_FN void wait_for_phase(CopyBarrier* barrier, u32 parity) {
  while (!has_passed(barrier, parity)) {
  }
}

/// By one thread, in a phase that it has not ended. Starts copying the map's box, `bytes` large, that begins at `row` of a
/// head of a sample; what lies outside the tensor becomes 0. `to` is aligned to 128 bytes. Coordinates of the map: element
/// of a chunk, row, chunk, head, sample.
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
