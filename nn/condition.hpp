#pragma once
// Condition: everything a network may be told beside (x, t, s). All of it is optional; a network
// that has no use for a field does not look at it.

#include "eflow/core/tensor.hpp"

namespace eflow::nn {

/// Which way a network is evaluated: all of it, or without its middle, whose place [MASK] takes
/// (the weak path of path-drop guidance). [arXiv 2603.27086, §3.2 and B.2]
enum class Path { kFull, kWeak };

struct Condition {
  Tensor labels;    ///< i64 [B]; undefined: no label, for all samples
  Tensor context;   ///< [B, L, E], tokens of a text
  Tensor guidance;  ///< [B], the guidance scale w to be followed; undefined: 0, the null scale
  Tensor kept;      ///< i64 [B, M], ascending: tokens that the middle sees; undefined: all
  Path path = Path::kFull;
  /// [B, C, T, H, W], the clips without noise: makes a pass chunk-causal (DiTConfig::chunk_frames).
  Tensor clean;
};

}  // namespace eflow::nn
