#pragma once
// Normals and uniforms for a batch (philox.h): block.y is a sample, block.x a run of its tiles.

#include "eflow/kernels_src/args/random.h"
#include "eflow/kernels_src/philox.h"
#include "eflow/kernels_src/tile/pack.h"

namespace EFLOW_TEXT {

using eflow::args::Random;

/// Truncates f to the precision of T, so that a uniform below 1 stays below 1.
template <class T>
EFLOW_FN float cut_to(float f) {
  return kIsBf16<T> ? float_of_bits(bits_of(f) & 0xffff0000u) : f;
}

/// See Random. kNormal: standard normals, otherwise uniforms in [0, 1).
template <class T, bool kNormal>
void random(const Block& block, const Random& a) {
  const StreamKey key{a.key_low, a.key_high};
  const u64 sample = static_cast<u64>(a.sample_ids[block.y]);
  T* const y = static_cast<T*>(a.y) + block.y * a.count;
  const auto rounded = [](float f) __attribute__((always_inline)) {
    return narrow<T>(static_cast<Compute<T>>(kNormal ? f : cut_to<T>(f)));
  };
  const Index first = block.x * a.tiles_per_block, whole = a.count / kRandomTile;
  const Index last = min_of(first + a.tiles_per_block, whole);
  each_lane_of<kRandomLanes>(
      first, last, [&](Index tile, int lane) __attribute__((always_inline)) {
        const Words4 words =
            sample_words(key, sample, static_cast<u64>(tile * kRandomLanes + lane));
        const Values4 v = kNormal ? normals_of(words) : uniforms_of(words);
        T* const out = y + tile * kRandomTile + lane;
        EFLOW_UNROLL
        for (int k = 0; k < 4; ++k) out[k * kRandomLanes] = rounded(v.at[k]);
      });
  // The last, partial tile of a sample is written element by element, by the block that would own
  // it.
  if (whole < first || whole >= first + a.tiles_per_block) return;
  each_lane<kRandomTile>([&](int i) {
    const Index at = whole * kRandomTile + i;
    if (at >= a.count) return;
    const u64 e = static_cast<u64>(at);
    y[at] = rounded(kNormal ? normal_at(key, sample, e) : uniform_at(key, sample, e));
  });
}

}  // namespace EFLOW_TEXT
