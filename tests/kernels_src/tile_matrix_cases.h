#pragma once
// What tile_matrix_text.h, compiled for several targets, has in common with those who run it.

/// One check: the largest error seen, and how large it may be.
struct TileRecord {
  char what[40];
  double error, limit;
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

/// A text's entry, in the form of jit/builtin_entry.hpp.
struct TileEntry {
  const char* name;
  void (*run)(const void* block, const void* args);
};
