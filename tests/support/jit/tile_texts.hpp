#pragma once
// tile_matrix_text.h, which checks every primitive of the tile vocabulary against scalar loops, as
// source for a Runtime: any target's compiler can compile it.

#include "eflow/jit/kernel/definitions.hpp"
#include "eflow/jit/kernel/texts.hpp"
#include "eflow/tests/kernels_src/tile_matrix_cases.h"

namespace eflow::test {

/// The text, vocabulary_text.h, and the test headers that they include.
[[nodiscard]] const std::vector<jit::TextFile>& tile_texts();

/// Definitions of its kernels "tile_product_128", ... for blocks of `threads` threads. Their Specs
/// have a dtype and a case number.
[[nodiscard]] std::vector<jit::KernelDefinition> tile_kernels(int threads);

/// One case of one dtype.
struct TileKernel {
  std::string expression;  ///< "tile_product<float, 3>", as tile_matrix_cases.cpp names it
  jit::KernelRef kernel;
};
/// All cases of one dtype, for blocks of `threads` threads.
[[nodiscard]] std::vector<TileKernel> tile_cases(DType dtype, int threads);

}  // namespace eflow::test
