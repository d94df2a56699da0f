// The cases of tile_matrix_text.h as functions; compiled once for each instruction set and for each emulated GPU.
// Includes nothing of the standard library: an inline function instantiated here with AVX-512 could serve the whole test.

#include "kernels_src/tile_matrix_text.h"

namespace EFLOW_TEXT {
namespace {

template <void (*kText)(const Block&, const TileCase&)>
void run_text(const void* block, const void* args) {
  kText(*static_cast<const Block*>(block), *static_cast<const TileCase*>(args));
}

}  // namespace

#define EFLOW_CASES(T)                                               \
  {"tile_products<" #T ">", run_text<tile_products<T>>},             \
      {"tile_operands<" #T ">", run_text<tile_operands<T>>},         \
      {"tile_element_wise<" #T ">", run_text<tile_element_wise<T>>}, \
      {"tile_reductions<" #T ">", run_text<tile_reductions<T>>},     \
      {"tile_stores<" #T ">", run_text<tile_stores<T>>}, {           \
    "tile_attention<" #T ">", run_text<tile_attention<T>>            \
  }

extern const TileEntry kTileEntries[];
const TileEntry kTileEntries[] = {
    EFLOW_CASES(float), EFLOW_CASES(double), EFLOW_CASES(bf16), {nullptr, nullptr}};

}  // namespace EFLOW_TEXT
