#pragma once
// Declarations shared by gemm_unit_cases.cpp and the test that runs it.

/// Entries of the GEMM text by its types, in the form of jit/kernel/builtin_entry.hpp.
struct GemmUnitEntries {
  void (*bf16_f32)(const void* block, const void* args);
  void (*bf16)(const void* block, const void* args);
};
