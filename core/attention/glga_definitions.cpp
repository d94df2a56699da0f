// The GLGA texts as kernels of the JIT: text, expression, config space and shared memory of each. The constants of their
// KernelSpecs are those of GlgaConstant (glga_shared_memory.hpp).

#include "eflow/core/attention/glga_config_spaces.hpp"
#include "eflow/core/tensor/kernel_registry.hpp"

namespace eflow::detail {
namespace {

/// A text over the window: blocks of 128 threads, one expression, the two units of sm_90a.
jit::KernelDefinition window_text(const std::string& name, jit::ConfigSpace space,
                                  std::int64_t (*shared_bytes)(const jit::KernelSpec&)) {
  return {.name = name,
          .text = "eflow/kernels_src/glga/" + name.substr(5) + ".h",
          .expression = name + "<$t0, GlgaForm<$c0, $c1, $c2, $c3, $c4, $c5, $c6, $c7, $c8>>",
          .threads = 128,
          .space = std::move(space),
          .shared_bytes = shared_bytes,
          .warpgroups = "$c9",
          .bulk_copies = "$c10"};
}

/// Whether a config fits, from what a text holds: tiles of a head's sums and of scores, and whether these have keys for rows.
template <std::int64_t (*kBytes)(const jit::KernelSpec&), int kChannels, int kScores,
          bool kAcrossKeys>
constexpr FitsConfig kFits = glga_config_fits<kBytes, kChannels, kScores, kAcrossKeys>;

}  // namespace

std::vector<jit::KernelDefinition> glga_definitions() {
  return {
      {.name = "glga_state",
       .text = "eflow/kernels_src/glga/state.h",
       .expression = "glga_state<$t0, $c0, $c1>",
       .threads = 256,
       .space = glga_state_tiles(),
       .shared_bytes = glga_state_bytes},
      window_text("glga_forward", glga_walk_tiles(kFits<glga_forward_bytes, 2, 1, false>),
                  glga_forward_bytes),
      window_text("glga_rows_grad", glga_row_tiles(kFits<glga_rows_grad_bytes, 3, 0, false>),
                  glga_rows_grad_bytes),
      window_text("glga_queries_grad", glga_walk_tiles(kFits<glga_queries_grad_bytes, 1, 2, false>),
                  glga_queries_grad_bytes),
      window_text("glga_keys_grad", glga_walk_tiles(kFits<glga_keys_grad_bytes, 2, 2, true>),
                  glga_keys_grad_bytes),
      window_text("glga_band_grad", glga_tiles(kFits<glga_band_grad_bytes, 3, 2, true>),
                  glga_band_grad_bytes),
      window_text("glga_join_grad", {}, glga_join_grad_bytes),  // takes the tiles of glga_band_grad
  };
}

}  // namespace eflow::detail
