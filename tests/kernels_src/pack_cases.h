#pragma once
// Declarations shared by pack_cases.cpp, which is compiled for several targets, and pack_test.cpp.

/// What the text computed from `count` numbers; see pack_cases.cpp.
struct PackCase {
  long long count;
  // Integers of 16 bits and others, and their values as read and as written back plus one.
  const short* i16;
  const unsigned short* u16;
  const int* i32;
  const unsigned char* u8;
  float* floats[4];
  short* i16_back;
  unsigned short* u16_back;
  int* i32_back;
  unsigned char* u8_back;
  // bf16, as bits, and its values.
  const unsigned short* bf16;
  float* bf16_floats;
  unsigned short* bf16_back;
  // Reductions over numbers: max, min, sum of the block, then of a team; of f32, then of f64.
  const float* numbers;
  double results[12];
  int i32_results[2];       ///< max and min of i32
  unsigned u32_results[2];  ///< max and min of u16 as u32
  double functions[8];      ///< elementary functions of the single number .5 in f32, then f64
};

struct PackEntry {
  const char* name;
  void (*run)(const void* block, const void* args);
};
