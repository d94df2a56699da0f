#pragma once
// What tile_matrix_text.h, compiled for several targets, has in common with those who run it.

/// One check: the largest error seen, and how large it may be; and for comparing with other targets all results as one sum,
/// weighted by -2 to 2 so that results in the wrong places count too.
struct TileRecord {
  char what[40];
  double error, limit;
  double sum;
  long long results;
};

/// Arguments of the texts. memory is for inputs and results; the block's scratch is for tiles alone.
struct TileCase {
  TileRecord* records;
  int* count;
  char* memory;
};
inline constexpr int kTileRecords = 4096;
inline constexpr int kTileMemory = 4 << 20;
inline constexpr int kTileScratch = 96 << 10;  ///< what every GPU has for a block

/// Calls f(text, case) for every entry of tile_matrix_text.h.
#define EFLOW_TILE_CASES(f)                                                                     \
  f(product, 0) f(product, 1) f(product, 2) f(product, 3) f(product, 4) f(product, 5)           \
  f(product, 6) f(product, 7) f(product, 8) f(product, 9)                                       \
  f(operand, 0) f(operand, 1) f(operand, 2) f(operand, 3)                                       \
  f(element_wise, 0) f(element_wise, 1) f(element_wise, 2)                                      \
  f(reduction, 0) f(reduction, 1) f(reduction, 2) f(reduction, 3) f(reduction, 4)               \
  f(store, 0) f(store, 1) f(store, 2) f(store, 3)                                               \
  f(attention, 0) f(attention, 1) f(attention, 2) f(attention, 3)

/// A text's entry, in the form of jit/builtin_entry.hpp.
struct TileEntry {
  const char* name;
  void (*run)(const void* block, const void* args);
};
