#include "eflow/tests/support/jit/tile_texts.hpp"

#include "eflow/core/base/error.hpp"

namespace eflow::test {

const std::vector<jit::TextFile>& tile_texts() {
  static const std::vector<jit::TextFile> texts = [] {
    const std::pair<std::string, std::string> all[] = {
#include "eflow/tests/support/jit/tile_texts.inc"
    };
    std::vector<jit::TextFile> out;
    for (const auto& [path, text] : all) {
      if (path.find("tile_matrix") != path.npos || path.find("vocabulary") != path.npos)
        out.push_back({path, text});
    }
    return out;
  }();
  return texts;
}

std::vector<jit::KernelDefinition> tile_kernels(int threads) {
  std::vector<jit::KernelDefinition> out;
  for (const char* name :
       {"product", "operand", "element_wise", "reduction", "store", "attention"}) {
    jit::KernelDefinition d;
    d.name = str("tile_", name, "_", threads);
    d.text = "eflow/tests/kernels_src/tile_matrix_text.h";
    d.expression = str("tile_", name, "<$t0, $c0>");
    d.threads = threads;
    d.shared_bytes = [](const jit::KernelSpec&) { return std::int64_t{kTileScratch}; };
    out.push_back(std::move(d));
  }
  return out;
}

std::vector<TileKernel> tile_cases(DType dtype, int threads) {
  const char* const type = dtype == DType::kF32   ? "float"
                           : dtype == DType::kF64 ? "double"
                                                  : "bf16";
  std::vector<TileKernel> out;
  const auto add = [&](const char* text, int number) {
    const std::string name = str("tile_", text, "_", threads);
    out.push_back({str("tile_", text, "<", type, ", ", number, ">"),
                   {name, jit::KernelSpec(name, {dtype}, {number})}});
  };
#define EFLOW_ADD(text, number) add(#text, number);
  EFLOW_TILE_CASES(EFLOW_ADD)
#undef EFLOW_ADD
  return out;
}

}  // namespace eflow::test
