// The entries of tile_matrix_text.h in their GPU form for an emulated GPU, as
// tests/core/cuda/emulated_primitives_test.cpp requests them.

#include "eflow/jit/builtin/entry.h"
#include "eflow/tests/kernels_src/tile_matrix_text.h"

#define EFLOW_TILE(T, text, number)              \
  {{},                                           \
   "tile_matrix",                                \
   "tile_" #text "<" #T ", " #number ">",        \
   &run_text<&tile_##text<T, number>>,           \
   "eflow/tests/kernels_src/tile_matrix_text.h", \
   args_bytes(&tile_##text<T, number>)},
#define EFLOW_F32(text, number) EFLOW_TILE(float, text, number)
#define EFLOW_BF16(text, number) EFLOW_TILE(bf16, text, number)

namespace EFLOW_TEXT {
namespace {

constexpr eflow::jit::BuiltinEntry kEntries[] = {EFLOW_TILE_CASES(EFLOW_F32)
                                                     EFLOW_TILE_CASES(EFLOW_BF16)};

}  // namespace

eflow::jit::BuiltinTable tile_matrix_table() {
  return {kEntries, sizeof kEntries / sizeof kEntries[0]};
}

}  // namespace EFLOW_TEXT
