#pragma once
// A network that is small enough for finite differences.

#include "eflow/nn/dit/config.hpp"

namespace eflow::test {

/// Three blocks and `frames` frames of 2 x 2 tokens, of 12 values each; windows of one frame.
inline nn::DiTConfig small_dit(std::int64_t frames) {
  nn::DiTConfig c;
  c.channels = 3;
  c.frames = frames;
  c.height = c.width = 4;
  c.patch = {1, 2, 2};
  c.dim = 24;
  c.heads = 2;
  c.hidden = 20;
  c.encoder = c.middle = c.decoder = 1;
  c.window_frames = 1;
  return c;
}

}  // namespace eflow::test
