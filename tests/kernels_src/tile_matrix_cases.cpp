// The cases of tile_matrix_text.h as functions, compiled once per instruction set and per emulated
// GPU. Includes no standard header: an inline function instantiated here with AVX-512 could be
// linked into the whole test.

#include "eflow/tests/kernels_src/tile_matrix_text.h"

namespace EFLOW_TEXT {
namespace {

template <void (*kText)(const Block&, const TileCase&)>
void run_text(const void* block, const void* args) {
#if defined(EFLOW_ENTER_BLOCK)
  EFLOW_ENTER_BLOCK
#endif
  kText(*static_cast<const Block*>(block), *static_cast<const TileCase*>(args));
}

}  // namespace

#define EFLOW_TILE(T, text, number) \
  {"tile_" #text "<" #T ", " #number ">", run_text<tile_##text<T, number>>},
#define EFLOW_F32(text, number) EFLOW_TILE(float, text, number)
#define EFLOW_F64(text, number) EFLOW_TILE(double, text, number)
#define EFLOW_BF16(text, number) EFLOW_TILE(bf16, text, number)

extern const TileEntry kTileEntries[];
const TileEntry kTileEntries[] = {EFLOW_TILE_CASES(EFLOW_F32) EFLOW_TILE_CASES(EFLOW_F64)
                                      EFLOW_TILE_CASES(EFLOW_BF16){nullptr, nullptr}};

}  // namespace EFLOW_TEXT
