#pragma once
// Tiles of the glga texts where nothing was tuned, and what a tuned choice is kept for. Internal to core.

#include "eflow/core/glga.hpp"
#include "eflow/jit/shape_bucket.hpp"

namespace eflow::detail {

struct GlgaTile {
  int rows, keys;
};

/// A Spec of one of the glga texts but glga_state.
[[nodiscard]] jit::Spec glga_spec(std::string_view name, const GlgaSignature& call,
                                  const GlgaOptions& options, GlgaTile tile);
/// The tile of such a Spec.
[[nodiscard]] GlgaTile glga_tile(const jit::Spec& spec);

struct GlgaTiles {
  GlgaTile forward, rows, queries, keys;
  GlgaTile walk;  ///< of band and join
  int state;      ///< tokens
};
[[nodiscard]] GlgaTiles default_glga_tiles(const GlgaSignature& call, const GlgaOptions& options);

/// Tiles of walks are tuned for the queries of a call and the keys that one sees, where it does not see all of them; those
/// of rows and of the state for the queries alone. How many heads and samples there are decides nothing but how many blocks.
[[nodiscard]] jit::ShapeBucket glga_walk_shape(const GlgaSignature& call,
                                               const GlgaOptions& options);
[[nodiscard]] jit::ShapeBucket glga_row_shape(const GlgaSignature& call);

}  // namespace eflow::detail
