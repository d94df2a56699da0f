#pragma once
// The library's own kernels that are specialised at run time; every KernelDefinitions contains
// them. The constants of the glga kernels are those of GlgaConstant (tile_bytes.hpp).

#include "eflow/jit/glga_configs.hpp"
#include "eflow/jit/kernel_definitions.hpp"

namespace eflow::jit {

// clang-format off
#define EFLOW_GLGA(name, ...)                                                                  \
  {#name, #name ".h", #name "<$t0, GlgaForm<$c0, $c1, $c2, $c3, $c4, $c5, $c6, $c7, $c8>>",    \
   128, __VA_ARGS__, detail::name##_bytes,                                                     \
   "#define EFLOW_WARPGROUPS $c9\n#define EFLOW_BULK_COPIES $c10\n"}
#define EFLOW_FITS(name, channels, scores, across_keys) \
  detail::glga_config_fits<detail::name##_bytes, channels, scores, across_keys>

// EFLOW_FITS: the members of GlgaHolds.
inline const KernelDefinition kSpecialisedTexts[] = {
    {"glga_state", "glga_state.h", "glga_state<$t0, $c0, $c1>", 256, detail::glga_state_tiles(),
     detail::glga_state_bytes},
    EFLOW_GLGA(glga_forward, detail::glga_walk_tiles(EFLOW_FITS(glga_forward, 2, 1, false))),
    EFLOW_GLGA(glga_rows_grad, detail::glga_row_tiles(EFLOW_FITS(glga_rows_grad, 3, 0, false))),
    EFLOW_GLGA(glga_queries_grad,
               detail::glga_walk_tiles(EFLOW_FITS(glga_queries_grad, 1, 2, false))),
    EFLOW_GLGA(glga_keys_grad, detail::glga_walk_tiles(EFLOW_FITS(glga_keys_grad, 2, 2, true))),
    EFLOW_GLGA(glga_band_grad, detail::glga_tiles(EFLOW_FITS(glga_band_grad, 3, 2, true))),
    EFLOW_GLGA(glga_join_grad, {}),  // uses the tile sizes of glga_band_grad
};
// clang-format on

#undef EFLOW_FITS
#undef EFLOW_GLGA

}  // namespace eflow::jit
