#pragma once
// TokenPlaces: where the tokens of a pass stand in their clip.

#include <vector>

#include "eflow/nn/chunk_attention.hpp"
#include "eflow/nn/rope3d.hpp"

namespace eflow::nn {

/// What a layer remembers of a clip that comes chunk by chunk.
struct LayerStream {
  ChunkMemory memory;
  bool remember = false;  ///< whether this pass is to be remembered
};

struct TokenPlaces {
  RopeTables rope;           ///< of these tokens
  Tensor table = {};         ///< [N, D], a learned vector for each of these tokens, or undefined
  Tensor positions = {};     ///< i64 [B, M] of kept tokens in the raster, ascending; else undefined
  Grid3 grid = {0, 0, 0};    ///< the clip's raster, whatever of it is kept; empty: unknown
  std::int64_t radius = -1;  ///< of windows in this raster; -1: the blocks' own
  /// Tokens of each chunk of a chunk-causal pass, whose batch is noisy clips and then the same clips
  /// without noise: a chunk sees itself and the chunks without noise before it. Empty: all see all.
  std::vector<std::int64_t> chunks = {};
  /// Of a pass over one chunk: what the layer remembers of the chunks before it.
  LayerStream* stream = nullptr;
};

}  // namespace eflow::nn
