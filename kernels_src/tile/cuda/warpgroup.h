#pragma once
// Warpgroup matrix instructions (wgmma) of sm_90a: four warps together compute 64 x N sums from
// operands in shared memory, asynchronously. All PTX of these instructions is in this file, so that
// tests can replace it (see instructions.h).
//
// Registers: a warp holds 16 rows of the sums, and of A if A is in registers; warp 0 holds the
// first ones. Within a warp the layout is that of cuda/instructions.h.
//
// Shared memory: an operand consists of core matrices, 8 contiguous rows of 16 bytes. If k runs
// along these rows (A, or B^T), `leading` is the distance between core matrices adjacent along k,
// and `stride` between those adjacent along m or n. If k runs across the rows, the two are
// exchanged. [PTX ISA 8.0, wgmma.mma_async, no swizzling]

#include "eflow/kernels_src/tile/cuda/block.h"

// 1: products use warpgroup instructions where the tile shape allows (cuda/matrix_warpgroup.h).
#if !defined(EFLOW_WARPGROUPS)
#define EFLOW_WARPGROUPS 0
#endif

namespace EFLOW_TEXT {

#if defined(__CUDA_ARCH_FEAT_SM90_ALL)
inline constexpr bool kWarpgroups = EFLOW_WARPGROUPS != 0;
#else
inline constexpr bool kWarpgroups = false;
#endif

/// The instruction's descriptor of an operand in shared memory. Distances are multiples of 16
/// bytes.
EFLOW_FN u64 operand_at(const void* first, int leading_bytes, int stride_bytes) {
  const auto field = [](u32 bytes) { return static_cast<u64>((bytes & 0x3ffffu) >> 4); };
  return field(shared_address(first)) | field(static_cast<u32>(leading_bytes)) << 16 |
         field(static_cast<u32>(stride_bytes)) << 32;
}

/// Makes this thread's writes to shared memory visible to these instructions. A block barrier must
/// follow.
EFLOW_FN void publish_shared_writes() {
  if constexpr (kWarpgroups) asm volatile("fence.proxy.async.shared::cta;" ::: "memory");
}
/// Orders earlier register writes before the first product of a group.
EFLOW_FN void begin_products() {
  asm volatile("wgmma.fence.sync.aligned;" ::: "memory");
}
/// Waits for all products issued so far.
EFLOW_FN void finish_products() {
  asm volatile("wgmma.commit_group.sync.aligned;\nwgmma.wait_group.sync.aligned 0;" ::: "memory");
}

#define EFLOW_SUMS_8 "%0, %1, %2, %3"
#define EFLOW_SUMS_16 EFLOW_SUMS_8 ", %4, %5, %6, %7"
#define EFLOW_SUMS_32 EFLOW_SUMS_16 ", %8, %9, %10, %11, %12, %13, %14, %15"
#define EFLOW_SUMS_64 \
  EFLOW_SUMS_32 ", %16, %17, %18, %19, %20, %21, %22, %23, %24, %25, %26, %27, %28, %29, %30, %31"
#define EFLOW_SUMS_128                                                                           \
  EFLOW_SUMS_64                                                                                  \
  ", %32, %33, %34, %35, %36, %37, %38, %39, %40, %41, %42, %43, %44, %45, %46, %47, %48, %49, " \
  "%50, %51, %52, %53, %54, %55, %56, %57, %58, %59, %60, %61, %62, %63"
#define EFLOW_STRIP(i) "+f"(c[i][0]), "+f"(c[i][1]), "+f"(c[i][2]), "+f"(c[i][3])
#define EFLOW_STRIPS_2(i) EFLOW_STRIP(i), EFLOW_STRIP(i + 1)
#define EFLOW_STRIPS_4(i) EFLOW_STRIPS_2(i), EFLOW_STRIPS_2(i + 2)
#define EFLOW_STRIPS_8(i) EFLOW_STRIPS_4(i), EFLOW_STRIPS_4(i + 4)
#define EFLOW_STRIPS_16(i) EFLOW_STRIPS_8(i), EFLOW_STRIPS_8(i + 8)
#define EFLOW_WGMMA(n, operands) \
  "wgmma.mma_async.sync.aligned.m64n" #n "k16.f32.bf16.bf16 {" EFLOW_SUMS_##n "}, " operands ";"

/// c[strip] += A B over one step of 16 along k, for kStrips strips of 8 columns. kDown: k runs
/// across the rows of the operand's core matrices.
template <int kStrips, bool kDownA, bool kDownB>
EFLOW_FN void multiply_shared(float (*c)[4], u64 a, u64 b) {
  static_assert(kStrips == 1 || kStrips == 2 || kStrips == 4 || kStrips == 8 || kStrips == 16);
#define EFLOW_OPERANDS "l"(a), "l"(b), "n"(1), "n"(kDownA ? 1 : 0), "n"(kDownB ? 1 : 0)
  if constexpr (kStrips == 1) {
    asm volatile(EFLOW_WGMMA(8, "%4, %5, %6, 1, 1, %7, %8") : EFLOW_STRIP(0) : EFLOW_OPERANDS);
  } else if constexpr (kStrips == 2) {
    asm volatile(EFLOW_WGMMA(16, "%8, %9, %10, 1, 1, %11, %12")
                 : EFLOW_STRIPS_2(0)
                 : EFLOW_OPERANDS);
  } else if constexpr (kStrips == 4) {
    asm volatile(EFLOW_WGMMA(32, "%16, %17, %18, 1, 1, %19, %20")
                 : EFLOW_STRIPS_4(0)
                 : EFLOW_OPERANDS);
  } else if constexpr (kStrips == 8) {
    asm volatile(EFLOW_WGMMA(64, "%32, %33, %34, 1, 1, %35, %36")
                 : EFLOW_STRIPS_8(0)
                 : EFLOW_OPERANDS);
  } else {
    asm volatile(EFLOW_WGMMA(128, "%64, %65, %66, 1, 1, %67, %68")
                 : EFLOW_STRIPS_16(0)
                 : EFLOW_OPERANDS);
  }
#undef EFLOW_OPERANDS
}

/// The same, with A in registers.
template <int kStrips, bool kDownB>
EFLOW_FN void multiply_shared(float (*c)[4], const u32 (&a)[4], u64 b) {
  static_assert(kStrips == 1 || kStrips == 2 || kStrips == 4 || kStrips == 8 || kStrips == 16);
#define EFLOW_OPERANDS \
  "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "l"(b), "n"(1), "n"(kDownB ? 1 : 0)
  if constexpr (kStrips == 1) {
    asm volatile(EFLOW_WGMMA(8, "{%4, %5, %6, %7}, %8, %9, 1, 1, %10")
                 : EFLOW_STRIP(0)
                 : EFLOW_OPERANDS);
  } else if constexpr (kStrips == 2) {
    asm volatile(EFLOW_WGMMA(16, "{%8, %9, %10, %11}, %12, %13, 1, 1, %14")
                 : EFLOW_STRIPS_2(0)
                 : EFLOW_OPERANDS);
  } else if constexpr (kStrips == 4) {
    asm volatile(EFLOW_WGMMA(32, "{%16, %17, %18, %19}, %20, %21, 1, 1, %22")
                 : EFLOW_STRIPS_4(0)
                 : EFLOW_OPERANDS);
  } else if constexpr (kStrips == 8) {
    asm volatile(EFLOW_WGMMA(64, "{%32, %33, %34, %35}, %36, %37, 1, 1, %38")
                 : EFLOW_STRIPS_8(0)
                 : EFLOW_OPERANDS);
  } else {
    asm volatile(EFLOW_WGMMA(128, "{%64, %65, %66, %67}, %68, %69, 1, 1, %70")
                 : EFLOW_STRIPS_16(0)
                 : EFLOW_OPERANDS);
  }
#undef EFLOW_OPERANDS
}

#undef EFLOW_WGMMA
#undef EFLOW_STRIPS_16
#undef EFLOW_STRIPS_8
#undef EFLOW_STRIPS_4
#undef EFLOW_STRIPS_2
#undef EFLOW_STRIP
#undef EFLOW_SUMS_128
#undef EFLOW_SUMS_64
#undef EFLOW_SUMS_32
#undef EFLOW_SUMS_16
#undef EFLOW_SUMS_8

}  // namespace EFLOW_TEXT
