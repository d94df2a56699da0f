#pragma once
// GlgaForm: the switches and tile sizes of one specialisation of the GLGA texts.

#include "eflow/kernels_src/args/glga.h"
#include "eflow/kernels_src/tile/base/types.h"

namespace EFLOW_TEXT {

using eflow::args::Glga;
using eflow::args::GlgaGates;
using eflow::args::GlgaRows;
using eflow::args::TensorMap;

/// Values of GlgaForm's `local` and `gates`.
inline constexpr int kNoLocal = 0, kWindowed = 1, kAllKeys = 2;
inline constexpr int kNoGates = 0, kRowGates = 1, kChannelGates = 2;

/// Template switches of one specialisation.
///   head       d, channels of a head
///   local      softmax branch: kNoLocal, kWindowed or kAllKeys
///   global     1: with the linear branch
///   gates      kNoGates, kRowGates (one per token or per token and head), kChannelGates
///   normed     1: RMS norm after each branch
///   radius     window radius in raster positions; -1: Glga::radius
///   kept       0: no token is dropped; otherwise the percentage of kept tokens
///   row_tile   queries per tile
///   key_tile   keys per tile
template <int head, int local, int global, int gates, int normed, int radius, int kept,
          int row_tile, int key_tile>
struct GlgaForm {
  static constexpr int kHead = head;
  static constexpr int kLocal = local;
  static constexpr bool kGlobal = global != 0;
  static constexpr int kGates = gates;
  static constexpr bool kNormed = normed != 0;
  static constexpr Index kRadius = radius;
  static constexpr bool kKept = kept != 0;
  static constexpr int kRowTile = row_tile;
  static constexpr int kKeyTile = key_tile;
};

}  // namespace EFLOW_TEXT
