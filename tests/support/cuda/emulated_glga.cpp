// GPU forms of the fused attention texts for an emulated GPU, in the specialisations that
// tests/core/cuda/emulated_glga_test.cpp and cuda/emulated_bulk_copies_test.cpp request. Compiled for blocks of 128
// threads, of 256 for the state, and with bulk copies.

#include "eflow/jit/builtin/entry.h"
#include "eflow/kernels_src/glga/forward.h"
#include "eflow/kernels_src/glga/keys_grad.h"
#include "eflow/kernels_src/glga/queries_grad.h"
#include "eflow/kernels_src/glga/rows_grad.h"
#include "eflow/kernels_src/glga/state.h"

#define EFLOW_EMULATED(file, ...)                                                   \
  eflow::jit::BuiltinEntry {                                                        \
    {}, file, #__VA_ARGS__, &run_text<&__VA_ARGS__>, file, args_bytes(&__VA_ARGS__) \
  }

namespace EFLOW_TEXT {
namespace {

constexpr eflow::jit::BuiltinEntry kEntries[] = {
#if EFLOW_THREADS == 256
    EFLOW_EMULATED("eflow/kernels_src/glga/state.h", glga_state<float, 16, 32>),
    EFLOW_EMULATED("eflow/kernels_src/glga/state.h", glga_state<bf16, 16, 32>),
    EFLOW_EMULATED("eflow/kernels_src/glga/state.h", glga_state<bf16, 24, 32>),
    EFLOW_EMULATED("eflow/kernels_src/glga/state.h", glga_state<bf16, 64, 32>),
    EFLOW_EMULATED("eflow/kernels_src/glga/state.h", glga_state<bf16, 96, 32>),
    EFLOW_EMULATED("eflow/kernels_src/glga/state.h", glga_state<float, 128, 32>),
    EFLOW_EMULATED("eflow/kernels_src/glga/state.h", glga_state<float, 136, 32>),
#elif EFLOW_BULK_COPIES
    EFLOW_EMULATED("eflow/kernels_src/glga/forward.h",
                   glga_forward<bf16, GlgaForm<16, 1, 1, 1, 1, 40, 0, 64, 64>>),
    EFLOW_EMULATED("eflow/kernels_src/glga/queries_grad.h",
                   glga_queries_grad<bf16, GlgaForm<16, 1, 1, 0, 0, 40, 0, 64, 64>>),
    EFLOW_EMULATED("eflow/kernels_src/glga/keys_grad.h",
                   glga_keys_grad<bf16, GlgaForm<16, 1, 1, 0, 0, 40, 0, 64, 64>>),
    EFLOW_EMULATED("eflow/kernels_src/glga/forward.h",
                   glga_forward<bf16, GlgaForm<24, 1, 1, 1, 1, 40, 0, 64, 64>>),
    EFLOW_EMULATED("eflow/kernels_src/glga/queries_grad.h",
                   glga_queries_grad<bf16, GlgaForm<24, 1, 1, 0, 0, 40, 0, 64, 64>>),
    EFLOW_EMULATED("eflow/kernels_src/glga/keys_grad.h",
                   glga_keys_grad<bf16, GlgaForm<24, 1, 1, 0, 0, 40, 0, 64, 64>>),
    EFLOW_EMULATED("eflow/kernels_src/glga/forward.h",
                   glga_forward<bf16, GlgaForm<64, 1, 1, 1, 1, -1, 25, 64, 64>>),
    EFLOW_EMULATED("eflow/kernels_src/glga/queries_grad.h",
                   glga_queries_grad<bf16, GlgaForm<64, 1, 1, 0, 0, -1, 25, 64, 64>>),
    EFLOW_EMULATED("eflow/kernels_src/glga/keys_grad.h",
                   glga_keys_grad<bf16, GlgaForm<64, 1, 1, 0, 0, -1, 25, 48, 64>>),
    EFLOW_EMULATED("eflow/kernels_src/glga/forward.h",
                   glga_forward<bf16, GlgaForm<96, 1, 1, 1, 1, 40, 0, 64, 64>>),
    EFLOW_EMULATED("eflow/kernels_src/glga/queries_grad.h",
                   glga_queries_grad<bf16, GlgaForm<96, 1, 1, 0, 0, 40, 0, 64, 64>>),
    EFLOW_EMULATED("eflow/kernels_src/glga/keys_grad.h",
                   glga_keys_grad<bf16, GlgaForm<96, 1, 1, 0, 0, 40, 0, 32, 64>>),
    EFLOW_EMULATED("eflow/kernels_src/glga/forward.h",
                   glga_forward<float, GlgaForm<128, 1, 1, 1, 1, 40, 0, 64, 16>>),
    EFLOW_EMULATED("eflow/kernels_src/glga/queries_grad.h",
                   glga_queries_grad<float, GlgaForm<128, 1, 1, 0, 0, 40, 0, 32, 16>>),
    EFLOW_EMULATED("eflow/kernels_src/glga/keys_grad.h",
                   glga_keys_grad<float, GlgaForm<128, 1, 1, 0, 0, 40, 0, 16, 32>>),
    // Rings of one stage, and key gradients that walk twice.
    EFLOW_EMULATED("eflow/kernels_src/glga/forward.h",
                   glga_forward<float, GlgaForm<136, 1, 1, 1, 1, 40, 0, 64, 32>>),
    EFLOW_EMULATED("eflow/kernels_src/glga/queries_grad.h",
                   glga_queries_grad<float, GlgaForm<136, 1, 1, 0, 0, 40, 0, 64, 16>>),
    EFLOW_EMULATED("eflow/kernels_src/glga/keys_grad.h",
                   glga_keys_grad<float, GlgaForm<136, 1, 1, 0, 0, 40, 0, 16, 64>>),
#else
    // Radius 40, no tokens dropped.
    EFLOW_EMULATED("eflow/kernels_src/glga/forward.h",
                   glga_forward<float, GlgaForm<16, 1, 1, 1, 1, 40, 0, 64, 32>>),
    EFLOW_EMULATED("eflow/kernels_src/glga/rows_grad.h",
                   glga_rows_grad<float, GlgaForm<16, 1, 1, 1, 1, -1, 0, 64, 64>>),
    EFLOW_EMULATED("eflow/kernels_src/glga/queries_grad.h",
                   glga_queries_grad<float, GlgaForm<16, 1, 1, 0, 0, 40, 0, 64, 32>>),
    EFLOW_EMULATED("eflow/kernels_src/glga/keys_grad.h",
                   glga_keys_grad<float, GlgaForm<16, 1, 1, 0, 0, 40, 0, 32, 64>>),
    EFLOW_EMULATED("eflow/kernels_src/glga/forward.h",
                   glga_forward<bf16, GlgaForm<16, 1, 1, 1, 1, 40, 0, 64, 64>>),
    EFLOW_EMULATED("eflow/kernels_src/glga/rows_grad.h",
                   glga_rows_grad<bf16, GlgaForm<16, 1, 1, 1, 1, -1, 0, 64, 64>>),
    EFLOW_EMULATED("eflow/kernels_src/glga/queries_grad.h",
                   glga_queries_grad<bf16, GlgaForm<16, 1, 1, 0, 0, 40, 0, 64, 64>>),
    EFLOW_EMULATED("eflow/kernels_src/glga/keys_grad.h",
                   glga_keys_grad<bf16, GlgaForm<16, 1, 1, 0, 0, 40, 0, 64, 64>>),
    EFLOW_EMULATED("eflow/kernels_src/glga/rows_grad.h",
                   glga_rows_grad<bf16, GlgaForm<24, 1, 1, 1, 1, -1, 0, 64, 64>>),
    EFLOW_EMULATED("eflow/kernels_src/glga/rows_grad.h",
                   glga_rows_grad<bf16, GlgaForm<64, 1, 1, 1, 1, -1, 0, 64, 64>>),
    EFLOW_EMULATED("eflow/kernels_src/glga/rows_grad.h",
                   glga_rows_grad<bf16, GlgaForm<96, 1, 1, 1, 1, -1, 0, 64, 64>>),
    EFLOW_EMULATED("eflow/kernels_src/glga/rows_grad.h",
                   glga_rows_grad<float, GlgaForm<128, 1, 1, 1, 1, -1, 0, 32, 64>>),
    EFLOW_EMULATED("eflow/kernels_src/glga/rows_grad.h",
                   glga_rows_grad<float, GlgaForm<136, 1, 1, 1, 1, -1, 0, 64, 64>>),
    // A quarter of the tokens kept.
    EFLOW_EMULATED("eflow/kernels_src/glga/forward.h",
                   glga_forward<float, GlgaForm<16, 1, 1, 1, 1, -1, 25, 64, 32>>),
    EFLOW_EMULATED("eflow/kernels_src/glga/queries_grad.h",
                   glga_queries_grad<float, GlgaForm<16, 1, 1, 0, 0, -1, 25, 64, 32>>),
    EFLOW_EMULATED("eflow/kernels_src/glga/keys_grad.h",
                   glga_keys_grad<float, GlgaForm<16, 1, 1, 0, 0, -1, 25, 32, 64>>),
#endif
};

}  // namespace

eflow::jit::BuiltinTable glga_table() {
  return {kEntries, sizeof kEntries / sizeof kEntries[0]};
}

}  // namespace EFLOW_TEXT
