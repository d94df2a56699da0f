#pragma once
// The matrix unit of CPUs with AMX: eight tile registers of 16 rows of 64 bytes, and the product of
// two of them. [Intel 64 and IA-32 Architectures Software Developer's Manual, vol. 1, chapter 18]
// EFLOW_AMX_DOUBLE replaces the instructions by loops that do the same, so that packing and edges
// can be tested on any CPU.

#include "eflow/kernels_src/tile/base/types.h"

// The first is g++'s name, the second that of clang++ before 16.
#if defined(__AMX_BF16__) || defined(__AMXBF16__) || defined(EFLOW_AMX_DOUBLE)

namespace EFLOW_TEXT {

/// Rows of a tile register, and its 32-bit words per row.
inline constexpr int kUnit = 16;

#if !defined(EFLOW_AMX_DOUBLE)

/// The operand of ldtilecfg.
struct alignas(64) UnitConfig {
  u8 palette = 1;
  u8 start_row = 0;
  u8 reserved[14] = {};
  u16 row_bytes[kUnit] = {64, 64, 64, 64, 64, 64, 64, 64};
  u8 rows[kUnit] = {16, 16, 16, 16, 16, 16, 16, 16};
};
static_assert(sizeof(UnitConfig) == 64);

/// The tile registers of this thread while a block runs. Other users of the unit in this process
/// configure it for themselves, before and after.
class MatrixUnit {
 public:
  MatrixUnit() {
    const UnitConfig config;
    asm volatile("ldtilecfg %0" : : "m"(config));
  }
  ~MatrixUnit() { asm volatile("tilerelease"); }
  MatrixUnit(const MatrixUnit&) = delete;
  MatrixUnit& operator=(const MatrixUnit&) = delete;
};

template <int kRegister>
EFLOW_FN void unit_zero() {
  asm volatile("tilezero %%tmm%c0" : : "i"(kRegister));
}
/// Rows are `stride` bytes apart.
template <int kRegister>
EFLOW_FN void unit_load(const void* p, Index stride) {
  asm volatile("tileloadd (%0,%1,1), %%tmm%c2" : : "r"(p), "r"(stride), "i"(kRegister) : "memory");
}
template <int kRegister>
EFLOW_FN void unit_store(void* p, Index stride) {
  asm volatile("tilestored %%tmm%c2, (%0,%1,1)" : : "r"(p), "r"(stride), "i"(kRegister) : "memory");
}
/// C[m][n] += sum_k A[m][2k] B[k][2n] + A[m][2k + 1] B[k][2n + 1] of bf16 pairs. Subnormal numbers
/// count as 0.
template <int kC, int kA, int kB>
EFLOW_FN void unit_multiply() {
  asm volatile("tdpbf16ps %%tmm%c2, %%tmm%c1, %%tmm%c0" : : "i"(kC), "i"(kA), "i"(kB));
}

#else

struct UnitRegister {
  u32 words[kUnit][kUnit];
};
inline thread_local UnitRegister unit_registers[8];
inline thread_local bool unit_configured = false;

class MatrixUnit {
 public:
  MatrixUnit() { unit_configured = true; }
  ~MatrixUnit() { unit_configured = false; }
  MatrixUnit(const MatrixUnit&) = delete;
  MatrixUnit& operator=(const MatrixUnit&) = delete;
};

/// The register; a fault (#UD) if the thread has not configured the unit.
template <int kRegister>
UnitRegister& unit_register() {
  if (!unit_configured) __builtin_trap();
  return unit_registers[kRegister];
}
template <int kRegister>
void unit_zero() {
  unit_register<kRegister>() = UnitRegister{};
}
template <int kRegister>
void unit_load(const void* p, Index stride) {
  for (int row = 0; row < kUnit; ++row)
    __builtin_memcpy(unit_register<kRegister>().words[row],
                     static_cast<const char*>(p) + row * stride, 4 * kUnit);
}
template <int kRegister>
void unit_store(void* p, Index stride) {
  for (int row = 0; row < kUnit; ++row)
    __builtin_memcpy(static_cast<char*>(p) + row * stride, unit_register<kRegister>().words[row],
                     4 * kUnit);
}
inline float unit_number(u32 bits) {
  if ((bits & 0x7f800000u) == 0) bits &= 0x80000000u;
  float number;
  __builtin_memcpy(&number, &bits, sizeof number);
  return number;
}
template <int kC, int kA, int kB>
void unit_multiply() {
  const UnitRegister &a = unit_register<kA>(), &b = unit_register<kB>();
  for (int m = 0; m < kUnit; ++m) {
    float even[kUnit] = {}, odd[kUnit] = {};
    for (int k = 0; k < kUnit; ++k) {
      const u32 left = a.words[m][k];
      for (int n = 0; n < kUnit; ++n) {
        const u32 right = b.words[k][n];
        even[n] = __builtin_fmaf(unit_number(left << 16), unit_number(right << 16), even[n]);
        odd[n] = __builtin_fmaf(unit_number(left & 0xffff0000u), unit_number(right & 0xffff0000u),
                                odd[n]);
      }
    }
    for (int n = 0; n < kUnit; ++n) {
      u32& word = unit_register<kC>().words[m][n];
      const float sum = unit_number(word) + (even[n] + odd[n]);
      __builtin_memcpy(&word, &sum, sizeof word);
    }
  }
}

#endif

}  // namespace EFLOW_TEXT

/// Placed where a block is entered, by whoever calls a text.
#define EFLOW_ENTER_BLOCK const EFLOW_TEXT::MatrixUnit matrix_unit;
/// bf16 products run on the matrix unit.
#define EFLOW_MATRIX_UNIT 1
#else
#define EFLOW_MATRIX_UNIT 0
#endif
