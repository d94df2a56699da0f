#pragma once
// The vocabulary of texts: every word, once. vocabulary_text.h says what each is to compute,
// vocabulary.hpp what must come out; docs/kernels/vocabulary.md is generated from both.

/// Arguments of a word. Arrays have the stored type of its instantiation.
struct VocabularyCase {
  int word;          ///< number in the list
  const void* x;     ///< count numbers
  const void* y;     ///< count positive numbers
  const int* index;  ///< count numbers, a permutation
  const void* a;     ///< kVocabularyRows x kVocabularyDepth
  const void* b;     ///< kVocabularyDepth x kVocabularyColumns
  void* stored;      ///< count of the stored type, 0
  double* out;       ///< results, 0
  long long count;
};
inline constexpr int kVocabularyRows = 40, kVocabularyColumns = 24, kVocabularyDepth = 48;
inline constexpr int kVocabularyCount = 331;     ///< whole vectors of all widths, and a tail
inline constexpr int kVocabularyResults = 4096;  ///< at most
inline constexpr int kVocabularyThreads = 128;
inline constexpr int kVocabularyScratch = 64 << 10;

/// Words of packs, for each kind of stored type that has them.
#define EFLOW_WORDS_OF_MEMORY(f)                                                                  \
  f(load) f(store) f(copy) f(load_strided) f(store_strided) f(load_pairs) f(store_pairs) f(iota)  \
      f(splat) f(each) f(each_value) f(each_lane) f(each_lane_of) f(each_cell) f(each_row)        \
          f(sum_columns) f(sum_each) f(max_each) f(min_each) f(team_sum) f(team_max) f(team_min)  \
              f(max_pack) f(min_pack) f(abs) f(compare) f(select) f(load_where) f(store_where)    \
                  f(reduce_each) f(team_reduce) f(scan_each) f(team_scan) f(keep_row) f(each_run) \
                      f(team_runs) f(each_cell_run) f(sum_columns_run) f(reordered)
/// For numbers of at least 32 bits, or floats: they need an index of their size.
#define EFLOW_WORDS_OF_INDICES(f) \
  f(cast) f(gather) f(gather_where) f(scatter) f(add_to) f(add_at) f(arg_max)
#define EFLOW_WORDS_OF_FLOATS(f)                                                                  \
  f(exp) f(exp2) f(log) f(sqrt) f(rsqrt) f(sin) f(cos) f(tanh) f(sigmoid) f(erf) f(floor) f(gelu) \
      f(gelu_grad) f(fma) f(pow) f(fast_divide) f(random_each) f(normal_each)
/// Words of tiles and sums: products also of i8.
#define EFLOW_WORDS_OF_PRODUCTS(f)                                                             \
  f(mma_AB) f(mma_ABt) f(mma_AtB) f(set_AB) f(set_ABt) f(set_AtB) f(tile_load_strided)         \
      f(alloc_both) f(alloc_both_ring) f(pipeline) f(acc_fill) f(acc_load) f(acc_store) f(map) \
          f(map_two) f(map_view) f(map_rc)
#define EFLOW_WORDS_OF_SUMS(f)                                                                   \
  f(as_A) f(as_At) f(row_apply) f(row_apply_two) f(col_apply) f(col_apply_two) f(scale_rows)     \
      f(row_max) f(row_min) f(row_sum) f(row_dot) f(col_max) f(col_min) f(col_sum) f(col_dot)    \
          f(exp2_sub_rows) f(exp2_sub_columns) f(mask_range) f(row_vmap) f(col_vmap) f(row_load) \
              f(col_load) f(row_reduce) f(col_reduce) f(row_scan) f(transpose)

#define EFLOW_WORDS(f)      \
  EFLOW_WORDS_OF_MEMORY(f)  \
  EFLOW_WORDS_OF_INDICES(f) \
  EFLOW_WORDS_OF_FLOATS(f) EFLOW_WORDS_OF_PRODUCTS(f) EFLOW_WORDS_OF_SUMS(f)

enum class Word {
#define EFLOW_ENUMERATE(name) k_##name,
  EFLOW_WORDS(EFLOW_ENUMERATE)
#undef EFLOW_ENUMERATE
};

/// Stored types: name in texts.
#define EFLOW_VOCABULARY_TYPES(f)                                                                  \
  f(float) f(double) f(bf16) f(f16) f(e4m3) f(e5m2) f(i8) f(u8) f(i16) f(u16) f(i32) f(u32) f(i64) \
      f(u64)

struct VocabularyEntry {
  const char* name;  ///< of the stored type
  void (*run)(const void* block, const void* args);
};
