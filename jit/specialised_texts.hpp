#pragma once
// Our own texts that are specialised at run time: known to every KernelDefinitions without being defined. The glga texts'
// constants are those of GlgaConstant (tile_bytes.hpp).

#include "eflow/jit/glga_configs.hpp"
#include "eflow/jit/kernel_definitions.hpp"

namespace eflow::jit {

#define EFLOW_GLGA(name, ...)                                                                     \
  {                                                                                               \
#name, #name ".h", "" #name "<$t0, GlgaForm<$c0, $c1, $c2, $c3, $c4, $c5, $c6, $c7, $c8>>",       \
        128, __VA_ARGS__, detail::name##_bytes,                                                   \
        "#define EFLOW_WARPGROUPS $c9\n#define EFLOW_BULK_COPIES $c10\n"                          \
  }

// After a text's bytes: tiles of a head's sums and of scores that it holds, and whether these have keys for rows.
inline const KernelDefinition kSpecialisedTexts[] = {
    {"glga_state", "glga_state.h", "glga_state<$t0, $c0, $c1>", 256, detail::glga_state_tiles(),
     detail::glga_state_bytes},
    EFLOW_GLGA(glga_forward, detail::glga_walk_tiles(detail::glga_config_fits<
                                 detail::glga_forward_bytes, 2, 1, false>)),
    EFLOW_GLGA(glga_rows_grad, detail::glga_row_tiles(detail::glga_config_fits<
                                   detail::glga_rows_grad_bytes, 3, 0, false>)),
    EFLOW_GLGA(glga_queries_grad, detail::glga_walk_tiles(detail::glga_config_fits<
                                      detail::glga_queries_grad_bytes, 1, 2, false>)),
    EFLOW_GLGA(glga_keys_grad, detail::glga_walk_tiles(detail::glga_config_fits<
                                   detail::glga_keys_grad_bytes, 2, 2, true>)),
    EFLOW_GLGA(glga_band_grad, detail::glga_tiles(detail::glga_config_fits<
                                   detail::glga_band_grad_bytes, 3, 2, true>)),
    EFLOW_GLGA(glga_join_grad, {}),  // takes the tiles of glga_band_grad
};

#undef EFLOW_GLGA

}  // namespace eflow::jit
