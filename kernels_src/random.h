#pragma once
// Normals and uniforms for a batch: block.y is a sample, block.x some tiles of its elements (philox.h).

#include "args/random.h"
#include "philox.h"
#include "tile/pack.h"

namespace EFLOW_TEXT {

using eflow::args::Random;

/// f rounded towards zero to what T holds, so that a uniform below 1 stays there.
template <class T>
EFLOW_FN float cut_to(float f) {
  return sizeof(T) == 2 ? float_of_bits(bits_of(f) & 0xffff0000u) : f;
}

template <class T, bool kNormal>
void random(const Block& block, const Random& a) {
  const StreamKey key{a.key_low, a.key_high};
  const u64 sample = static_cast<u64>(a.sample_ids[block.y]);
  T* y = static_cast<T*>(a.y) + block.y * a.count;
  T* const rest = reinterpret_cast<T*>(block.scratch);
  const Index first = block.x * a.tiles_per_block;
  const Index last = min_of(first + a.tiles_per_block, ceil_div(a.count, kRandomTile));
  for (Index tile = first; tile < last; ++tile) {
    T* const here = y + tile * kRandomTile;
    const Index left = min_of(a.count - tile * kRandomTile, Index{kRandomTile});
    T* const out = left == kRandomTile ? here : rest;
    each_lane<kRandomLanes>([&](int lane) __attribute__((always_inline)) {
      const Words4 words = sample_words(key, sample, static_cast<u64>(tile * kRandomLanes + lane));
      const Values4 v = kNormal ? normals_of(words) : uniforms_of(words);
      EFLOW_UNROLL
      for (int k = 0; k < 4; ++k) {
        out[k * kRandomLanes + lane] =
            narrow<T>(static_cast<Compute<T>>(kNormal ? v.at[k] : cut_to<T>(v.at[k])));
      }
    });
    if (out != here) {
      each<Compute<T>>(0, left, [&](auto i) { store(here, i, load<Compute<T>>(rest, i)); });
    }
  }
}

}  // namespace EFLOW_TEXT
