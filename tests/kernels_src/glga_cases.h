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

/// Constants of a form as GlgaForm takes them, without tiles.
struct GlgaFormCase {
  int head, local, global, gates, normed, radius, kept;
};
// A window with all branches, kept tokens with gates of channels, all keys without gates or norms.
inline constexpr GlgaFormCase kGlgaForms[] = {
    {24, 1, 1, 1, 1, 20, 0}, {40, 1, 1, 2, 1, -1, 25}, {16, 2, 1, 0, 0, -1, 0}};
inline constexpr int kGlgaFormCount = 3;
// Tiles of queries and keys, and of the state's tokens: those of a GPU, so that targets have them in common.
inline constexpr int kGlgaForwardTile[] = {64, 32}, kGlgaRowsTile[] = {64, 64},
                     kGlgaQueriesTile[] = {64, 32}, kGlgaKeysTile[] = {32, 64}, kGlgaStateTile = 32;

/// By form, then f32 and bf16; on the CPU f64 alone. Blocks of 128 threads have no state text, those of 256 nothing else.
using GlgaTable = GlgaTexts[kGlgaFormCount][2];
