#pragma once
// TokenPlaces: where the tokens of a pass stand in their clip.

#include "eflow/nn/rope3d.hpp"

namespace eflow::nn {

struct TokenPlaces {
  RopeTables rope;           ///< of these tokens
  Tensor positions = {};     ///< i64 [B, M] of kept tokens in the raster, ascending; else undefined
  Grid3 grid = {0, 0, 0};    ///< the clip's raster, whatever of it is kept; empty: unknown
  std::int64_t radius = -1;  ///< of windows in this raster; -1: the blocks' own
};

}  // namespace eflow::nn
