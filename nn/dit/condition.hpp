#pragma once
// Condition: the inputs of a network other than (x, t, s). All fields are optional, and a network
// ignores the fields that it does not use.

#include <memory>

#include "eflow/core/base/export.hpp"
#include "eflow/core/tensor/tensor.hpp"

EFLOW_EXPORT_BEGIN

namespace eflow::nn {

class ContextMemory;

/// The blocks that a pass evaluates. [arXiv 2603.27086, §3.2 and B.2]
enum class Path {
  kFull,  ///< all blocks
  kWeak,  ///< the weak path of path-drop guidance: [MASK] replaces the middle blocks' output
};

struct Condition {
  Tensor labels = {};   ///< i64 [B]; undefined: no sample has a label
  Tensor context = {};  ///< [B, L, E], text tokens
  /// Of `context`; nullptr: each pass computes its keys and values. Passes that record gradients do
  /// not use it.
  std::shared_ptr<ContextMemory> context_memory = {};
  /// [L, E], the context of the null condition; undefined: zeros. Networks do not read it; guidance
  /// does.
  Tensor null_context = {};
  Tensor guidance = {};  ///< [B], guidance scale w; undefined: 0, the null scale
  Tensor kept = {};      ///< i64 [B, M], ascending ids of the middle's tokens; undefined: all
  Path path = Path::kFull;
  /// [B, C, T, H, W], the clips without noise. If defined, the pass is chunk-causal
  /// (DiTConfig::chunk_frames).
  Tensor clean = {};
  /// [B, C, T, H, W] and [B, T / patch.t]: clips of which some token frames are known, those with a
  /// 1 (else 0). They enter the network without noise, at time 0, and the solution F leads them to
  /// `given`. Both are defined or neither.
  Tensor given = {}, known = {};
};

}  // namespace eflow::nn

EFLOW_EXPORT_END
