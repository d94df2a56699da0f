#pragma once
// tile_matrix_text.h, every primitive of the tile vocabulary against scalar loops, for a Runtime: as text, which any target's
// compiler takes.

#include "eflow/jit/kernel_definitions.hpp"
#include "eflow/jit/kernel_texts.hpp"
#include "kernels_src/tile_matrix_cases.h"

namespace eflow::test {

/// The text and what it includes of the tests' own.
[[nodiscard]] const std::vector<jit::TextFile>& tile_texts();

/// Its kernels "tile_product_128", ..., Specs of which have a dtype and a case; blocks of so many threads.
[[nodiscard]] std::vector<jit::KernelDefinition> tile_kernels(int threads);

/// All cases of one dtype.
struct TileKernel {
  std::string expression;  ///< "tile_product<float, 3>", as tile_matrix_cases.cpp names it
  jit::KernelRef kernel;
};
[[nodiscard]] std::vector<TileKernel> tile_cases(DType dtype, int threads);

}  // namespace eflow::test
