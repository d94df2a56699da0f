#pragma once
// Random numbers of a text's own, from philox.h:
//
//   random_each<C>(key, sample, begin, end, f)   f(i, u), u uniform in [0, 1)
//   normal_each<C>(key, sample, begin, end, f)   f(i, z), z standard normal
//
// Element i of a sample has the same number whatever block, range or target asks for it, and it is
// that of random.h: a dropout mask can be made again in the backward pass. On a GPU these are
// collective, as `each` is. Ranges that begin at multiples of 64 waste none.

#include "eflow/kernels_src/philox.h"
#include "eflow/kernels_src/tile/pack.h"

namespace EFLOW_TEXT {

#if defined(EFLOW_GPU)
template <bool kNormal, class C, class F>
EFLOW_FN void random_tiles(StreamKey key, u64 sample, Index begin, Index end, F&& f) {
  const Index first = begin / kRandomTile, last = ceil_div(end, kRandomTile);
  each_lane_of<kRandomLanes>(first, last, [&](Index tile, int lane) {
    const Words4 words = sample_words(key, sample, static_cast<u64>(tile * kRandomLanes + lane));
    const Values4 v = kNormal ? normals_of(words) : uniforms_of(words);
    EFLOW_UNROLL
    for (int k = 0; k < 4; ++k) {
      const Index at = tile * kRandomTile + k * kRandomLanes + lane;
      if (at >= begin && at < end) f(Lane<C>{at}, static_cast<C>(v.at[k]));
    }
  });
}
#else
template <bool kNormal, class C, class F>
EFLOW_FN void random_tiles(StreamKey key, u64 sample, Index begin, Index end, F&& f) {
  for (Index tile = begin / kRandomTile; tile * kRandomTile < end; ++tile) {
    alignas(64) float numbers[kRandomTile];
    each_lane<kRandomLanes>([&](int lane) __attribute__((always_inline)) {
      const Words4 words = sample_words(key, sample, static_cast<u64>(tile * kRandomLanes + lane));
      const Values4 v = kNormal ? normals_of(words) : uniforms_of(words);
      for (int k = 0; k < 4; ++k) numbers[k * kRandomLanes + lane] = v.at[k];
    });
    const Index zero = tile * kRandomTile;
    each<C>(max_of(begin, zero), min_of(end, zero + kRandomTile), [&](auto i) {
      auto here = i;
      here.first -= zero;
      f(i, load<C>(numbers, here));
    });
  }
}
#endif

template <class C, class F>
EFLOW_FN void random_each(StreamKey key, u64 sample, Index begin, Index end, F&& f) {
  random_tiles<false, C>(key, sample, begin, end, f);
}
template <class C, class F>
EFLOW_FN void normal_each(StreamKey key, u64 sample, Index begin, Index end, F&& f) {
  random_tiles<true, C>(key, sample, begin, end, f);
}

}  // namespace EFLOW_TEXT
