#pragma once
// GPU operations that C++ cannot express: thread indices, barriers, shuffles, asynchronous copies
// and matrix instructions (mma.sync). All PTX of these is in this file, so that a test can
// substitute its own file of this name and run all other code on the CPU
// (jit/emulation/machine.hpp).
//
// The 32 lanes of a warp execute a matrix instruction together. With g = lane / 4 and t = lane % 4,
// a lane holds
//   of 16 x 8 sums       c[0..3] = (g, 2t), (g, 2t + 1), (g + 8, 2t), (g + 8, 2t + 1)
//   of 16 x 16 bf16 A    a[0..3] = pairs along k at (g, 2t), (g + 8, 2t), (g, 2t + 8),
//                        (g + 8, 2t + 8)
//   of 16 x 8 bf16 B     b[0..1] = pairs along k at (2t, g), (2t + 8, g)
//   of 16 x 8 tf32 A     a[0..3] = (g, t), (g + 8, t), (g, t + 4), (g + 8, t + 4)
//   of 8 x 8 tf32 B      b[0..1] = (t, g), (t + 4, g)
// and f16 as bf16.

#include "eflow/kernels_src/tile/base/types.h"

#define EFLOW_SHARED __shared__

namespace EFLOW_TEXT {

/// Compute capability, 80 for sm_80. bf16 and tf32 products and asynchronous copies need at least
/// 80.
inline constexpr int kArch = __CUDA_ARCH__ / 10;

EFLOW_FN int thread_index() {
  return static_cast<int>(threadIdx.x);
}
/// Barrier of the whole block; shared and global writes before it are visible to the block after
/// it.
EFLOW_FN void block_barrier() {
  __syncthreads();
}

/// Needs `bytes` bytes of dynamic shared memory; ends the launch with an error if it has fewer. The
/// comment tells the host how many a launch must have (jit/cuda/tile_bytes.hpp): the compiler knows
/// the number where a text allocates its tiles before its loops.
EFLOW_FN void need_shared_bytes(u32 bytes) {
  asm volatile(
      "{\n"
      ".reg .pred too_few;\n"
      ".reg .u32 given;\n"
      "mov.u32 given, %%dynamic_smem_size;\n"
      "setp.lt.u32 too_few, given, %0; // eflow_tiles %0\n"
      "@too_few trap;\n"
      "}" ::"r"(bytes));
}
/// Ends the launch with an error.
EFLOW_FN void trap_without_room() {
  asm volatile("trap;");
}

/// The value held by the lane whose index differs from this lane's in the bits of `mask`.
template <class C>
EFLOW_FN C shuffle_xor(C value, int mask) {
  return __shfl_xor_sync(0xffffffffu, value, mask);
}

/// *p += x, atomically, in memory that all blocks share.
template <class T>
EFLOW_FN void atomic_add(T* p, T x) {
  if constexpr (sizeof(T) == 8 && kIsInteger<T>)
    atomicAdd(reinterpret_cast<u64*>(p), static_cast<u64>(x));
  else
    atomicAdd(p, x);
}

/// Global memory that one instruction reads or writes.
template <int kBytes>
struct alignas(kBytes) Access {
  u32 words[(kBytes + 3) / 4];
};
template <int kBytes>
EFLOW_FN Access<kBytes> load_access(const void* p) {
  return *static_cast<const Access<kBytes>*>(p);
}
template <int kBytes>
EFLOW_FN void store_access(void* p, const Access<kBytes>& access) {
  // The compiler may split an assignment of 16 bytes into four.
  const u32* w = access.words;
  if constexpr (kBytes == 16)
    asm volatile("st.global.v4.b32 [%0], {%1, %2, %3, %4};" ::"l"(__cvta_generic_to_global(p)),
                 "r"(w[0]), "r"(w[1]), "r"(w[2]), "r"(w[3])
                 : "memory");
  else if constexpr (kBytes == 8)
    asm volatile("st.global.v2.b32 [%0], {%1, %2};" ::"l"(__cvta_generic_to_global(p)), "r"(w[0]),
                 "r"(w[1])
                 : "memory");
  else
    *static_cast<Access<kBytes>*>(p) = access;
}

/// 2^x with an error of at most 2 units in the last place; results below 2^-126 are flushed to 0.
EFLOW_FN float exp2_instruction(float x) {
  float y;
  asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
  return y;
}

#if __CUDA_ARCH__ >= 800
// max_pack and min_pack of floats in one instruction; sm_75 compares twice and selects.
EFLOW_FN float max_pack(float a, float b) {
  float y;
  asm("max.NaN.f32 %0, %1, %2;" : "=f"(y) : "f"(a), "f"(b));
  return y;
}
EFLOW_FN float min_pack(float a, float b) {
  float y;
  asm("min.NaN.f32 %0, %1, %2;" : "=f"(y) : "f"(a), "f"(b));
  return y;
}
#endif

/// Rounds two floats to bf16, `low` into the lower half.
EFLOW_FN u32 bf16_pair(float low, float high) {
  u32 pair;
  asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(pair) : "f"(high), "f"(low));
  return pair;
}

/// The bits of x rounded to bf16.
EFLOW_FN u16 bf16_bits(float x) {
  if constexpr (kArch >= 80) return static_cast<u16>(bf16_pair(x, 0.0f));
  const u32 u = __float_as_uint(x);
  return static_cast<u16>(x != x ? (u >> 16) | 0x40u : (u + 0x7fffu + ((u >> 16) & 1u)) >> 16);
}

/// Rounds two floats to f16, as bf16_pair.
EFLOW_FN u32 f16_pair(float low, float high) {
  u32 pair;
  asm("cvt.rn.f16x2.f32 %0, %1, %2;" : "=r"(pair) : "f"(high), "f"(low));
  return pair;
}

/// The bits of x rounded to tf32, a float with 10 bits of fraction.
EFLOW_FN u32 tf32_bits(float x) {
  u32 bits;
  asm("cvt.rna.tf32.f32 %0, %1;" : "=r"(bits) : "f"(x));
  return bits;
}

/// The address of p in the shared-memory window, as PTX takes it.
EFLOW_FN u32 shared_address(const void* p) {
  return static_cast<u32>(__cvta_generic_to_shared(p));
}

/// Loads four 8 x 8 matrices of 16-bit elements (or 8 x 4 of 32-bit ones). Lane l passes the
/// address of row l % 8 of matrix l / 8, 16 bytes. It receives elements (g, 2t) and (g, 2t + 1) of
/// each matrix.
EFLOW_FN void load_matrices(u32 (&out)[4], const void* row) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
               : "=r"(out[0]), "=r"(out[1]), "=r"(out[2]), "=r"(out[3])
               : "r"(shared_address(row))
               : "memory");
}
/// The same, transposed: the lane receives elements (2t, g) and (2t + 1, g).
EFLOW_FN void load_matrices_transposed(u32 (&out)[4], const void* row) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0, %1, %2, %3}, [%4];"
               : "=r"(out[0]), "=r"(out[1]), "=r"(out[2]), "=r"(out[3])
               : "r"(shared_address(row))
               : "memory");
}

/// c += A B: 16 x 8 sums over 16 of k for bf16 and f16, over 8 of k for tf32.
EFLOW_FN void multiply_bf16(float (&c)[4], const u32 (&a)[4], u32 b0, u32 b1) {
  asm("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 "
      "{%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
      : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
}
EFLOW_FN void multiply_f16(float (&c)[4], const u32 (&a)[4], u32 b0, u32 b1) {
  asm("mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 "
      "{%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
      : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
}
EFLOW_FN void multiply_tf32(float (&c)[4], const u32 (&a)[4], u32 b0, u32 b1) {
  asm("mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 "
      "{%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
      : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
}

/// Starts an asynchronous copy of the first `bytes` of 16 from global to shared memory; the rest
/// becomes 0. Both addresses are 16-byte aligned.
EFLOW_FN void copy_async(void* to, const void* from, int bytes) {
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(shared_address(to)), "l"(from),
               "r"(bytes)
               : "memory");
}
/// Makes a group of this thread's copies since its last commit.
EFLOW_FN void commit_copies() {
  asm volatile("cp.async.commit_group;" ::: "memory");
}
/// Waits until at most kOpen of this thread's groups are incomplete. Other threads see the data
/// only after a block barrier.
template <int kOpen>
EFLOW_FN void wait_copies() {
  asm volatile("cp.async.wait_group %0;" ::"n"(kOpen) : "memory");
}

}  // namespace EFLOW_TEXT
