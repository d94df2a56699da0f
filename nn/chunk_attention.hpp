#pragma once
// Chunk-causal attention: the tokens of a chunk of frames see each other and what was kept of the
// finished chunks before it, never what comes after. Kept is little: of the linear branch one d x d
// matrix a head, of a window the keys and values that it still reaches, of full softmax all of them.
// On plain ops.  [derived from arXiv 2603.27086, Eq. 5-8, and AnyFlow's causal variant]
//
//   G_i = RMS(kappa q_i (S + sum_{j in chunk} k_j^T v_j)),  S = sum_{j before} k_j^T v_j

#include "eflow/core/glga.hpp"

namespace eflow::nn {

/// What a block remembers of the tokens before a chunk.
struct ChunkMemory {
  std::int64_t tokens = 0;  ///< how many there were
  Tensor state;             ///< [B, H, d, d], sum of k^T v over all of them
  Tensor keys, values;  ///< [B, M, H, d], the last M of them: those that a window reaches, or all
};

struct ChunkInputs {
  Tensor q, k, v;  ///< [B, n, H, d] of the chunk, q and k turned by their places in the clip
  Tensor gates, global_weight, local_weight;  ///< as of glga()
};

/// The chunk's outputs, [B, n, H, d]. Of the options `positions` must be undefined: a chunk's tokens
/// follow the remembered ones in the raster, none is dropped. Differentiable, in the memory too.
[[nodiscard]] Tensor chunk_attention(const ChunkInputs& in, const ChunkMemory& before,
                                     const GlgaOptions& options);

/// The memory after a chunk of these keys and values.
[[nodiscard]] ChunkMemory remembered(const ChunkMemory& before, const Tensor& k, const Tensor& v,
                                     const GlgaOptions& options);

}  // namespace eflow::nn
