#pragma once
// Default tile sizes of the glga texts, and the shape keys of tuned ones. Internal to core.

#include "eflow/core/attention/glga.hpp"
#include "eflow/jit/kernel/shape_bucket.hpp"

namespace eflow::detail {

/// Queries and keys of a tile.
struct GlgaTile {
  int rows, keys;
};

/// Returns the KernelSpec of a glga text other than glga_state.
[[nodiscard]] jit::KernelSpec glga_spec(std::string_view name, const GlgaSignature& call,
                                        const GlgaOptions& options, GlgaTile tile);
/// Returns the tile of such a KernelSpec.
[[nodiscard]] GlgaTile glga_tile(const jit::KernelSpec& spec);

/// Tiles of all kernels of a call.
struct GlgaTiles {
  GlgaTile forward, rows, queries, keys;
  GlgaTile walk;  ///< of glga_band_grad and glga_join_grad
  int state;      ///< tokens per tile of glga_state
};
/// Returns the tiles used if none were tuned.
[[nodiscard]] GlgaTiles default_glga_tiles(const GlgaSignature& call, const GlgaOptions& options);

/// Shape keys of tuned tiles. Kernels that iterate over the window are tuned for the number of
/// queries and the keys per window (0 if all); the others for the number of queries. Heads and
/// samples only change the number of blocks.
[[nodiscard]] jit::ShapeBucket glga_walk_shape(const GlgaSignature& call,
                                               const GlgaOptions& options);
[[nodiscard]] jit::ShapeBucket glga_row_shape(const GlgaSignature& call);

}  // namespace eflow::detail
