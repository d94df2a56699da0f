// All built-in texts in their GPU form, compiled for an emulated GPU, plus specialisations of
// attention and the tests' own texts (emulated_gpu.cmake).

#include "eflow/tests/support/cuda/emulated_texts.hpp"

#include <span>

namespace eflow_text_emulated_gpu {
#define EFLOW_TABLE(name) eflow::jit::BuiltinTable name##_table();
#include "eflow/tests/support/cuda/emulated_tables.inc"
#undef EFLOW_TABLE
}  // namespace eflow_text_emulated_gpu

namespace eflow_text_emulated_glga_128 {
eflow::jit::BuiltinTable glga_table();
}
namespace eflow_text_emulated_glga_256 {
eflow::jit::BuiltinTable glga_table();
}

namespace eflow_text_emulated_tile_matrix {
eflow::jit::BuiltinTable tile_matrix_table();
}
namespace eflow_text_emulated_glga_bulk {
eflow::jit::BuiltinTable glga_table();
}

namespace eflow::test {

const jit::BuiltinEntry* find_emulated(std::string_view file, std::string_view expression,
                                       bool bulk) {
  using namespace eflow_text_emulated_gpu;
#define EFLOW_TABLE(name) name##_table(),
  static const jit::BuiltinTable tables[] = {
#include "eflow/tests/support/cuda/emulated_tables.inc"
      eflow_text_emulated_glga_128::glga_table(), eflow_text_emulated_glga_256::glga_table(),
      eflow_text_emulated_tile_matrix::tile_matrix_table()};
#undef EFLOW_TABLE
  static const jit::BuiltinTable bulk_tables[] = {eflow_text_emulated_glga_bulk::glga_table()};
  const std::span<const jit::BuiltinTable> all =
      bulk ? std::span<const jit::BuiltinTable>(bulk_tables) : std::span(tables);
  for (const jit::BuiltinTable& table : all) {
    for (std::size_t i = 0; i < table.count; ++i) {
      const jit::BuiltinEntry& entry = table.entries[i];
      if (entry.file == file && entry.expression == expression) return &entry;
    }
  }
  return nullptr;
}

}  // namespace eflow::test
