#pragma once
// TokenLayout: the layout of a pass, that is, the positions of its tokens in their clip and the way
// in which they are divided into chunks.

#include <memory>
#include <vector>

#include "eflow/core/base/export.hpp"
#include "eflow/nn/attention/chunk_attention.hpp"
#include "eflow/nn/layers/rope3d.hpp"

EFLOW_EXPORT_BEGIN

namespace eflow::nn {

/// A layer's memory of a clip that is processed chunk by chunk.
struct LayerStream {
  ChunkMemory memory = {};
  bool remember = false;  ///< add this pass to the memory
};

class SequencePart;

struct TokenLayout {
  RopeTables rope = {};    ///< of these tokens
  Tensor table = {};       ///< [N, D], learned position vectors of these tokens, or undefined
  Tensor positions = {};   ///< i64 [B, M], ascending raster positions of kept tokens, or undefined
  Grid3 grid = {0, 0, 0};  ///< the token grid of the clip, or of this rank's part; empty: unknown
  std::int64_t radius = -1;  ///< of windows on this grid; -1: the blocks' own
  /// Tokens of each chunk of a chunk-causal pass. Its batch holds the noisy clips and then the same
  /// clips without noise; a chunk attends to itself and to the earlier clean chunks. Empty: all
  /// tokens attend to each other.
  std::vector<std::int64_t> chunks = {};
  /// For a pass whose tokens are divided over ranks: this rank's part of them; nullptr otherwise.
  std::shared_ptr<const SequencePart> part = {};
  /// For a pass over one chunk: the layer's memory of earlier chunks. Not owned.
  LayerStream* stream = nullptr;
};

}  // namespace eflow::nn

EFLOW_EXPORT_END
