#pragma once
// Declarations shared by glga_cases.cpp, which is compiled for several targets, and the test that
// runs it.

/// Entry of one specialisation of a glga text, in the form of jit/kernel/builtin_entry.hpp.
struct GlgaEntry {
  void (*run)(const void* block, const void* args);
};

/// The five texts of one form and type.
struct GlgaTexts {
  GlgaEntry state, forward, rows_grad, queries_grad, keys_grad;
};

/// Query and key tile sizes.
struct GlgaTileCase {
  int rows, keys;
};
/// Template constants of a form, as GlgaForm takes them, and the GPU tiles of each text. Shared by
/// all targets.
struct GlgaFormCase {
  int head, local, global, gates, normed, radius, kept;
  GlgaTileCase forward, rows_grad, queries_grad, keys_grad;
  int state;
};
// In order: a window with both branches; dropped tokens with channel gates; all keys without gates
// or norms; then heads that a block processes in slices: the widest head, one divisible only by the
// smallest slice, and one with both branches.
inline constexpr GlgaFormCase kGlgaForms[] = {
    {24, 1, 1, 1, 1, 20, 0, {64, 32}, {64, 64}, {64, 32}, {32, 64}, 32},
    {40, 1, 1, 2, 1, -1, 25, {64, 32}, {64, 64}, {64, 32}, {32, 64}, 32},
    {16, 2, 1, 0, 0, -1, 0, {64, 32}, {64, 64}, {64, 32}, {32, 64}, 32},
    {256, 1, 1, 1, 1, 20, 0, {64, 16}, {64, 64}, {64, 16}, {16, 64}, 32},
    {136, 1, 1, 2, 1, -1, 25, {64, 32}, {64, 64}, {64, 32}, {32, 64}, 32},
    {144, 2, 1, 0, 0, -1, 0, {48, 16}, {32, 64}, {48, 16}, {16, 48}, 16}};
inline constexpr int kGlgaFormCount = 6;

/// Indexed by form, then f32 and bf16; f64 only on the CPU. Blocks of 128 threads have no state
/// text, blocks of 256 have only that.
using GlgaTable = GlgaTexts[kGlgaFormCount][2];
