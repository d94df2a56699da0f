#pragma once
// Declarations shared by tile_matrix_text.h, which is compiled for several targets, and its
// callers.

/// Result of one check: the largest error and its limit. `sum` adds all results with weights from
/// -2 to 2; it compares targets and detects results at wrong positions.
struct TileRecord {
  char what[40];
  double error, limit;
  double sum;
  long long results;
};

/// Arguments of the texts. `memory` holds inputs and results; the block's scratch holds only tiles.
struct TileCase {
  TileRecord* records;
  int* count;
  char* memory;
};
inline constexpr int kTileRecords = 4096;
inline constexpr int kTileMemory = 4 << 20;
inline constexpr int kTileScratch = 96 << 10;  ///< what every supported GPU has per block

/// Calls f(text, case) for every entry of tile_matrix_text.h.
#define EFLOW_TILE_CASES(f)                                                                       \
  f(product, 0) f(product, 1) f(product, 2) f(product, 3) f(product, 4) f(product, 5)             \
      f(product, 6) f(product, 7) f(product, 8) f(product, 9) f(operand, 0) f(operand, 1)         \
          f(operand, 2) f(operand, 3) f(element_wise, 0) f(element_wise, 1) f(element_wise, 2)    \
              f(reduction, 0) f(reduction, 1) f(reduction, 2) f(reduction, 3) f(reduction, 4)     \
                  f(reduction, 5) f(reduction, 6) f(store, 0) f(store, 1) f(store, 2) f(store, 3) \
                      f(attention, 0) f(attention, 1) f(attention, 2) f(attention, 3)

/// Entry of a text, in the form of jit/kernel/builtin_entry.hpp.
struct TileEntry {
  const char* name;
  void (*run)(const void* block, const void* args);
};
