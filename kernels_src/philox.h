#pragma once
// Philox4x32-10, a random function of a counter and a key [Salmon et al., "Parallel random numbers:
// as easy as 1, 2, 3", SC 2011], and the uniforms and normals derived from its words. The code is
// scalar and has no branches: kernels vectorise it over lanes, the host calls it directly. Every
// floating-point step is exact, a correctly rounded single operation or an explicit fused
// multiply-add; no product feeds an addition that a compiler could contract. The bits are therefore
// the same on every instruction set and on a GPU.

#include "eflow/kernels_src/tile/base/types.h"

namespace EFLOW_TEXT {

struct Words4 {
  u32 at[4];
};

EFLOW_FN Words4 philox4x32(Words4 counter, u32 key0, u32 key1) {
  u32 c0 = counter.at[0], c1 = counter.at[1], c2 = counter.at[2], c3 = counter.at[3];
  EFLOW_UNROLL
  for (int round = 0; round < 10; ++round) {
    const u64 a = u64{0xD2511F53u} * c0, b = u64{0xCD9E8D57u} * c2;
    c0 = static_cast<u32>(b >> 32) ^ c1 ^ key0;
    c2 = static_cast<u32>(a >> 32) ^ c3 ^ key1;
    c1 = static_cast<u32>(b);
    c3 = static_cast<u32>(a);
    key0 += 0x9E3779B9u;  // golden ratio
    key1 += 0xBB67AE85u;  // sqrt(3) - 1
  }
  return {{c0, c1, c2, c3}};
}

/// Key of one stream, derived from the seed, the purpose of the numbers and the training step.
struct StreamKey {
  u32 low, high;
};
EFLOW_FN StreamKey stream_key(u64 seed, u32 purpose, u64 step) {
  const Words4 w =
      philox4x32({{static_cast<u32>(step), static_cast<u32>(step >> 32), purpose, 0x666c6f77u}},
                 static_cast<u32>(seed), static_cast<u32>(seed >> 32));
  return {w.at[0], w.at[1]};
}

/// Four random words: number `block` of a sample's stream.
EFLOW_FN Words4 sample_words(StreamKey key, u64 sample, u64 block) {
  return philox4x32({{static_cast<u32>(block), static_cast<u32>(block >> 32),
                      static_cast<u32>(sample), static_cast<u32>(sample >> 32)}},
                    key.low, key.high);
}

/// Numbering of elements, chosen so that kRandomLanes consecutive blocks fill a tile by rows:
/// element e is word (e % kRandomTile) / kRandomLanes of block (e / kRandomTile) * kRandomLanes + e
/// % kRandomLanes.
inline constexpr int kRandomLanes = 16;
inline constexpr int kRandomTile = 4 * kRandomLanes;

EFLOW_FN float float_of_bits(u32 bits) {
  float f;
  __builtin_memcpy(&f, &bits, 4);
  return f;
}
EFLOW_FN u32 bits_of(float f) {
  u32 bits;
  __builtin_memcpy(&bits, &f, 4);
  return bits;
}

/// A uniform in [0, 1), a multiple of 2^-24.
EFLOW_FN float uniform_of(u32 word) {
  return static_cast<float>(static_cast<i32>(word >> 8)) * 0x1p-24f;
}

/// Natural logarithm of u in (0, 1]; never positive, relative error below 2e-7. With u = m 2^e and
/// m in [sqrt(1/2), sqrt(2)), log m = f - f^2/2 + f^3 P(f), f = m - 1, P a minimax polynomial of
/// degree 7.
EFLOW_FN float log_of_unit(float u) {
  const i32 bits = static_cast<i32>(bits_of(u));
  const i32 e = (bits - 0x3f3504f3) >> 23;
  const float f = float_of_bits(static_cast<u32>(bits - (e << 23))) - 1.0f;
  float p = -0.07634497f;
  p = __builtin_fmaf(p, f, 0.12761576f);
  p = __builtin_fmaf(p, f, -0.13160183f);
  p = __builtin_fmaf(p, f, 0.14201757f);
  p = __builtin_fmaf(p, f, -0.16623357f);
  p = __builtin_fmaf(p, f, 0.20001227f);
  p = __builtin_fmaf(p, f, -0.2500082f);
  p = __builtin_fmaf(p, f, 0.3333333f);
  p = __builtin_fmaf(p, f, -0.5f);
  const float log_m = __builtin_fmaf(f * f, p, f);
  return __builtin_fmaf(static_cast<float>(e), 0.6931472f, log_m);
}

struct NormalPair {
  float a, b;
};

/// Two independent standard normals from two words, by the radius sqrt(-2 log u) and an angle [Box
/// and Muller 1958]. The angle is a quadrant (2 bits) plus v in [-1/2, 1/2) of a right angle, whose
/// sine and cosine are minimax polynomials. The largest magnitude is sqrt(64 log 2) = 6.66.
EFLOW_FN NormalPair normal_pair(u32 radius_word, u32 angle_word) {
  const float u =
      __builtin_fmaf(static_cast<float>(static_cast<i32>(radius_word >> 1)), 0x1p-31f, 0x1p-32f);
  const float radius = __builtin_sqrtf(-2.0f * log_of_unit(u));

  const u32 quadrant = angle_word >> 30;
  const float v = static_cast<float>(static_cast<i32>(angle_word << 2)) * 0x1p-32f;
  const float q = v * v;
  float s = -0.00460166f;
  s = __builtin_fmaf(s, q, 0.07968003f);
  s = __builtin_fmaf(s, q, -0.6459635f);
  s = __builtin_fmaf(s, q, 1.5707964f);
  s = s * v;
  float c = 0.00090376654f;
  c = __builtin_fmaf(c, q, -0.020860165f);
  c = __builtin_fmaf(c, q, 0.25366923f);
  c = __builtin_fmaf(c, q, -1.2337005f);
  c = __builtin_fmaf(c, q, 1.0f);

  const bool odd = (quadrant & 1u) != 0;
  const float cosine = odd ? s : c, sine = odd ? c : s;
  return {float_of_bits(bits_of(radius * cosine) ^ (((quadrant + 1u) & 2u) << 30)),
          float_of_bits(bits_of(radius * sine) ^ ((quadrant & 2u) << 30))};
}

struct Values4 {
  float at[4];
};
EFLOW_FN Values4 normals_of(Words4 w) {
  const NormalPair x = normal_pair(w.at[0], w.at[1]), y = normal_pair(w.at[2], w.at[3]);
  return {{x.a, x.b, y.a, y.b}};
}
EFLOW_FN Values4 uniforms_of(Words4 w) {
  return {{uniform_of(w.at[0]), uniform_of(w.at[1]), uniform_of(w.at[2]), uniform_of(w.at[3])}};
}

/// Random access to single elements; equal to what random.h writes for whole tiles.
EFLOW_FN Words4 words_of_element(StreamKey key, u64 sample, u64 e) {
  return sample_words(key, sample, e / kRandomTile * kRandomLanes + e % kRandomLanes);
}
EFLOW_FN float normal_at(StreamKey key, u64 sample, u64 e) {
  return normals_of(words_of_element(key, sample, e)).at[e % kRandomTile / kRandomLanes];
}
EFLOW_FN float uniform_at(StreamKey key, u64 sample, u64 e) {
  return uniforms_of(words_of_element(key, sample, e)).at[e % kRandomTile / kRandomLanes];
}

}  // namespace EFLOW_TEXT
