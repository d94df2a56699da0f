#pragma once
// What gemm_gpu_cases.cpp has in common with the test that runs it.

/// A GEMM text's entry by its types, in the form of jit/builtin_entry.hpp.
struct GemmEntry {
  void (*run)(const void* block, const void* args);
};
struct GemmEntries {
  GemmEntry f32, bf16_f32, bf16, f64;
};
