#pragma once
// What glga_cases.cpp, compiled for several targets, has in common with the test that runs it.

/// One specialisation of a glga text, in the form of jit/builtin_entry.hpp.
struct GlgaEntry {
  void (*run)(const void* block, const void* args);
};

/// The five texts of one form in one type.
struct GlgaTexts {
  GlgaEntry state, forward, rows_grad, queries_grad, keys_grad;
};

/// Queries and keys.
struct GlgaTileCase {
  int rows, keys;
};
/// Constants of a form as GlgaForm takes them, and a GPU's tiles of each text, which targets have in common.
struct GlgaFormCase {
  int head, local, global, gates, normed, radius, kept;
  GlgaTileCase forward, rows_grad, queries_grad, keys_grad;
  int state;
};
// A window with all branches, kept tokens with gates of channels, all keys without gates or norms; then heads that a block
// takes in slices: the widest, one whose channels no slice divides but the smallest, and the sum of both branches.
inline constexpr GlgaFormCase kGlgaForms[] = {
    {24, 1, 1, 1, 1, 20, 0, {64, 32}, {64, 64}, {64, 32}, {32, 64}, 32},
    {40, 1, 1, 2, 1, -1, 25, {64, 32}, {64, 64}, {64, 32}, {32, 64}, 32},
    {16, 2, 1, 0, 0, -1, 0, {64, 32}, {64, 64}, {64, 32}, {32, 64}, 32},
    {256, 1, 1, 1, 1, 20, 0, {64, 16}, {64, 64}, {64, 16}, {16, 64}, 32},
    {136, 1, 1, 2, 1, -1, 25, {64, 32}, {64, 64}, {64, 32}, {32, 64}, 32},
    {144, 2, 1, 0, 0, -1, 0, {48, 16}, {32, 64}, {48, 16}, {16, 48}, 16}};
inline constexpr int kGlgaFormCount = 6;

/// By form, then f32 and bf16; on the CPU f64 alone. Blocks of 128 threads have no state text, those of 256 nothing else.
using GlgaTable = GlgaTexts[kGlgaFormCount][2];
