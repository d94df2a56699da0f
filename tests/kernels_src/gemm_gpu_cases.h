#pragma once
// Declarations shared by gemm_gpu_cases.cpp and the test that runs it.

/// Entry of a GEMM text by its types, in the form of jit/kernel/builtin_entry.hpp.
struct GemmEntry {
  void (*run)(const void* block, const void* args);
};
struct GemmEntries {
  GemmEntry f32, bf16_f32, bf16, f64;
  GemmEntry large_f32, large_bf16_f32, large_bf16;
};
