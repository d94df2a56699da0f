#pragma once
// Emulated replacement of kernels_src/tile/cuda/instructions.h, found first on the include path of
// texts that run on an emulated GPU. jit/emulation/machine.cpp implements the same
// functions. EFLOW_EMULATED_ARCH is the architecture.

#include "eflow/kernels_src/tile/base/small_floats.h"
#include "eflow/kernels_src/tile/base/types.h"
#include "eflow/kernels_src/tile/emulation/calls.h"

// Only one block runs at a time, so shared memory can be static.
#define EFLOW_SHARED static

namespace EFLOW_TEXT {

namespace emulated = eflow::emulated;

inline constexpr int kArch = EFLOW_EMULATED_ARCH;

EFLOW_FN int thread_index() {
  return emulated::thread_index();
}
EFLOW_FN void block_barrier() {
  emulated::block_barrier();
}

EFLOW_FN void need_shared_bytes(u32 bytes) {
  if (bytes > emulated::shared_bytes()) emulated::trap_without_room();
}
EFLOW_FN void trap_without_room() {
  emulated::trap_without_room();
}

template <class C>
EFLOW_FN C shuffle_xor(C value, int mask) {
  u64 bits = 0;
  __builtin_memcpy(&bits, &value, sizeof value);
  bits = emulated::shuffle_xor(bits, mask);
  __builtin_memcpy(&value, &bits, sizeof value);
  return value;
}

// One block runs at a time, and its threads change only where they wait.
template <class T>
EFLOW_FN void atomic_add(T* p, T x) {
  *p += x;
}

template <int kBytes>
struct Access {
  unsigned char bytes[kBytes];
};
template <int kBytes>
EFLOW_FN Access<kBytes> load_access(const void* p) {
  Access<kBytes> access;
  __builtin_memcpy(&access, p, kBytes);
  return access;
}
template <int kBytes>
EFLOW_FN void store_access(void* p, const Access<kBytes>& access) {
  __builtin_memcpy(p, &access, kBytes);
}

EFLOW_FN float exp2_instruction(float x) {
  return x < -126.0f ? 0.0f : __builtin_exp2f(x);
}

EFLOW_FN u32 rounded_bits(float x, int dropped) {
  u32 u;
  __builtin_memcpy(&u, &x, sizeof u);
  return x != x ? 0x7fffffffu : u + ((1u << (dropped - 1)) - 1) + ((u >> dropped) & 1u);
}
EFLOW_FN u32 bf16_pair(float low, float high) {
  return rounded_bits(low, 16) >> 16 | (rounded_bits(high, 16) & 0xffff0000u);
}
EFLOW_FN u16 bf16_bits(float x) {
  return static_cast<u16>(bf16_pair(x, 0.0f));
}
EFLOW_FN u32 f16_pair(float low, float high) {
  return narrow_bits<f16, u32>(low) | narrow_bits<f16, u32>(high) << 16;
}
EFLOW_FN u32 tf32_bits(float x) {
  return rounded_bits(x, 13) & 0xffffe000u;
}

EFLOW_FN void load_matrices(u32 (&out)[4], const void* row) {
  emulated::load_matrices(out, row, false);
}
EFLOW_FN void load_matrices_transposed(u32 (&out)[4], const void* row) {
  emulated::load_matrices(out, row, true);
}
EFLOW_FN void multiply_bf16(float (&c)[4], const u32 (&a)[4], u32 b0, u32 b1) {
  emulated::multiply_bf16(c, a, b0, b1);
}
EFLOW_FN void multiply_f16(float (&c)[4], const u32 (&a)[4], u32 b0, u32 b1) {
  emulated::multiply_f16(c, a, b0, b1);
}
EFLOW_FN void multiply_tf32(float (&c)[4], const u32 (&a)[4], u32 b0, u32 b1) {
  emulated::multiply_tf32(c, a, b0, b1);
}

EFLOW_FN void copy_async(void* to, const void* from, int bytes) {
  emulated::copy_async(to, from, bytes);
}
EFLOW_FN void commit_copies() {
  emulated::commit_copies();
}
template <int kOpen>
EFLOW_FN void wait_copies() {
  emulated::wait_copies(kOpen);
}

}  // namespace EFLOW_TEXT
