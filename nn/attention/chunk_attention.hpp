#pragma once
// Chunk-causal attention: the tokens of a chunk of frames attend to each other and to the memory of
// earlier chunks, never to later ones. The memory is small: the linear branch keeps one d x d
// matrix per head, a window keeps the keys and values within its radius, full softmax keeps all of
// them. Composed of plain ops. [derived from arXiv 2603.27086, Eq. 5-8, and AnyFlow's causal
// variant]
//
//   G_i = RMS(kappa q_i (S + sum_{j in chunk} k_j^T v_j)),  S = sum_{j before} k_j^T v_j

#include "eflow/core/attention/glga.hpp"
#include "eflow/core/base/export.hpp"

EFLOW_EXPORT_BEGIN

namespace eflow::nn {

/// A block's memory of the tokens before a chunk.
struct ChunkMemory {
  std::int64_t tokens = 0;  ///< number of remembered tokens
  Tensor state = {};        ///< [B, H, d, d], sum of k^T v over all of them
  /// [B, M, H, d], keys and values of the last M tokens: those within the radius, or all.
  Tensor keys = {}, values = {};
};

struct ChunkInputs {
  /// [B, n, H, d] of the chunk; q and k are rotated (RoPE) by their positions in the clip.
  Tensor q = {}, k = {}, v = {};
  Tensor gates = {}, global_weight = {}, local_weight = {};  ///< as for glga()
};

/// Returns the chunk's outputs [B, n, H, d]. options.positions must be undefined: the chunk's
/// tokens follow the remembered ones in the raster and none are dropped. Differentiable with
/// respect to the inputs and the memory.
[[nodiscard]] Tensor chunk_attention(const ChunkInputs& in, const ChunkMemory& before,
                                     const GlgaOptions& options);

/// Returns the memory after a chunk with these keys and values [B, n, H, d].
[[nodiscard]] ChunkMemory remembered(const ChunkMemory& before, const Tensor& k, const Tensor& v,
                                     const GlgaOptions& options);

}  // namespace eflow::nn

EFLOW_EXPORT_END
