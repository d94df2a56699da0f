#pragma once
// Elementary functions on packs. f32: own polynomials for exp2, exp, tanh and their relatives,
// accurate to a few units in the last place and identical at every vector width; on GPUs, exp2 and exp
// use an instruction that is as accurate, and results below 2^-126 are 0; log, sin and cos
// call libm per lane. f64: libm per lane; f64 serves checks, not speed. All take packs and single
// numbers.

#include "eflow/kernels_src/tile/base/types.h"

namespace EFLOW_TEXT {

template <class V>
using LaneOf = typename LaneOfPack<V>::type;
template <class V>
inline constexpr bool kIsF32 = [] {
  static_assert(kIsFloat<LaneOf<V>>,
                "an elementary function takes f32 or f64: convert integers with load<float>");
  return kSameType<LaneOf<V>, float>;
}();

template <class V>
EFLOW_FN V sqrt(V x) {
  if constexpr (kIsF32<V>) {
    return per_lane(
        x, [](float v) __attribute__((always_inline)) { return __builtin_sqrtf(v); });
  } else {
    return per_lane(
        x, [](double v) __attribute__((always_inline)) { return __builtin_sqrt(v); });
  }
}

// Scalar overloads.
EFLOW_FN float sqrt(float x) {
  return __builtin_sqrtf(x);
}
EFLOW_FN double sqrt(double x) {
  return __builtin_sqrt(x);
}
EFLOW_FN float log(float x) {
  return __builtin_logf(x);
}
EFLOW_FN double log(double x) {
  return __builtin_log(x);
}

template <class V>
EFLOW_FN V rsqrt(V x) {
  return 1 / sqrt(x);
}

/// |x|, also of integers. NaN remains.
template <class V>
EFLOW_FN V abs(V x) {
  return x <= V{} ? V{} - x : x;
}

/// a / b, at most 2 units in the last place off for |b| from 2^-126 to 2^126. On GPUs it takes a
/// fraction of the time of an exact division of f32; elsewhere it is one.
template <class V>
EFLOW_FN V fast_divide(V a, V b) {
#if defined(__CUDACC_RTC__)
  if constexpr (kSameType<V, float>) return ::__fdividef(a, b);
#endif
  static_assert(kIsFloat<LaneOf<V>>, "fast_divide takes f32 or f64");
  return a / b;
}

/// The largest integer that is not above x.
template <class V>
EFLOW_FN V floor(V x) {
  if constexpr (kIsF32<V>) {
    return per_lane(x, [](float v) { return __builtin_floorf(v); });
  } else {
    return per_lane(x, [](double v) { return __builtin_floor(v); });
  }
}

/// a b + c, rounded once.
template <class V>
EFLOW_FN V fma(V a, V b, V c) {
  if constexpr (kIsFloat<V>) {
    if constexpr (kIsF32<V>)
      return __builtin_fmaf(a, b, c);
    else
      return __builtin_fma(a, b, c);
  } else {
    for (int l = 0; l < static_cast<int>(sizeof(V) / sizeof(LaneOf<V>)); ++l)
      a[l] = fma<LaneOf<V>>(a[l], b[l], c[l]);
    return a;
  }
}

/// x^y, as the C library's. y: as x, or a single number.
template <class V, class Y>
EFLOW_FN V pow(V x, Y y) {
  if constexpr (kIsFloat<V>) {
    if constexpr (kIsF32<V>)
      return __builtin_powf(x, y);
    else
      return __builtin_pow(x, y);
  } else {
    for (int l = 0; l < static_cast<int>(sizeof(V) / sizeof(LaneOf<V>)); ++l) {
      if constexpr (kIsFloat<Y>)
        x[l] = pow<LaneOf<V>>(x[l], y);
      else
        x[l] = pow<LaneOf<V>>(x[l], y[l]);
    }
    return x;
  }
}

/// 2^f for f in [-1/2, 1/2]: minimax polynomial of degree 6.
template <class V>
EFLOW_FN V exp2_fraction(V f) {
  V p = f * 1.54035304e-4f + 1.33335581e-3f;
  p = p * f + 9.61812911e-3f;
  p = p * f + 5.55041087e-2f;
  p = p * f + 2.40226507e-1f;
  p = p * f + 6.93147181e-1f;
  return p * f + 1.0f;
}

/// p 2^n for integral n in [-252, 254], as two factors, so that neither exceeds the exponent range
/// before the product does.
template <class V>
EFLOW_FN V times_power2(V p, V n) {
  using I = typename IntsOf<V>::type;
  const I whole = to_ints(n);
  const I half = whole >> 1;
  const I e0 = (half + 127) << 23, e1 = (whole - half + 127) << 23;
  V s0, s1;
  __builtin_memcpy(&s0, &e0, sizeof s0);
  __builtin_memcpy(&s1, &e1, sizeof s1);
  return p * s0 * s1;
}

/// x rounded to the nearest integer, for |x| < 2^22: adding 1.5 * 2^23 leaves no bits for the
/// fraction.
template <class V>
EFLOW_FN V round_pack(V x) {
  const V shift = V{} + 12582912.0f;
  return (x + shift) - shift;
}

/// x clamped to [low, high]; NaN is preserved.
template <class V>
EFLOW_FN V clamp_pack(V x, V low, V high) {
  return x < low ? low : (x > high ? high : x);
}

/// 2^x; underflows to 0, overflows to infinity.
template <class V>
EFLOW_FN V exp2(V x) {
  if constexpr (!kIsF32<V>) {
    return per_lane(x, [](double v) { return __builtin_exp2(v); });
  } else {
#if defined(EFLOW_GPU)
    return exp2_instruction(x);
#else
    const V c = clamp_pack(x, V{} - 151.0f, V{} + 129.0f);
    const V n = round_pack(c);
    return times_power2(exp2_fraction(c - n), n);
#endif
  }
}

template <class V>
EFLOW_FN V exp(V x) {
  if constexpr (!kIsF32<V>) {
    return per_lane(x, [](double v) { return __builtin_exp(v); });
  } else {
#if defined(EFLOW_GPU)
    // The product of x and log2(e), and what its rounding lost.
    const V c = max_pack(V(-104), min_pack(x, V(89)));
    const V whole = c * 1.44269502f;
    const V rest = fma(c, 1.44269502f, -whole) + c * 1.92596299e-8f;
    return exp2_instruction(whole) * (1 + rest * 0.693147182f);
#else
    // x - n log(2) with log(2) in two parts: one rounded product would cost about |x| ulps.
    const V c = clamp_pack(x, V{} - 104.0f, V{} + 89.0f);
    const V n = round_pack(c * 1.44269502f);
    const V rest = (c - n * 0.693145752f) - n * 1.42860677e-6f;
    return times_power2(exp2_fraction(rest * 1.44269504f), n);
#endif
  }
}

template <class V>
EFLOW_FN V log(V x) {
  if constexpr (kIsF32<V>) {
    return per_lane(x, [](float v) { return __builtin_logf(v); });
  } else {
    return per_lane(x, [](double v) { return __builtin_log(v); });
  }
}

template <class V>
EFLOW_FN V sin(V x) {
  if constexpr (kIsF32<V>) {
    return per_lane(x, [](float v) { return __builtin_sinf(v); });
  } else {
    return per_lane(x, [](double v) { return __builtin_sin(v); });
  }
}
template <class V>
EFLOW_FN V cos(V x) {
  if constexpr (kIsF32<V>) {
    return per_lane(x, [](float v) { return __builtin_cosf(v); });
  } else {
    return per_lane(x, [](double v) { return __builtin_cos(v); });
  }
}

template <class V>
EFLOW_FN V sigmoid(V x) {
  return V{} + 1 / (1 + exp(-x));
}

/// tanh; uses the series near 0, because (e - 1) / (e + 1) cancels there.
template <class V>
EFLOW_FN V tanh(V x) {
  if constexpr (!kIsF32<V>) {
    return per_lane(x, [](double v) { return __builtin_tanh(v); });
  } else {
    const V limit = V{} + 10.0f;
    const V c = x > limit ? limit : (x < -limit ? -limit : x);
    const V e = exp(2 * c);
    const V far = (e - 1) / (e + 1);
    const V q = x * x;
    const V near =
        x + x * q * (-0.333333333f + q * (0.133333333f + q * (-0.0539682540f + q * 0.0218694885f)));
    const V y = q < V{} + 0.0625f ? near : far;
    return x != x ? x : y;
  }
}

/// The error function, 2 / sqrt(pi) times the integral of e^(-t^2) from 0 to x. Minimax polynomials
/// in x, and beyond .93 in the logarithm of 1 - erf; at most 2 units in the last place off.
template <class V>
EFLOW_FN V erf(V x) {
  if constexpr (!kIsF32<V>) {
    return per_lane(x, [](double v) { return __builtin_erf(v); });
  } else {
    const V t = abs(x), s = x * x;
    V p = V{} - 1.72853470e-5f;
    p = p * t + 3.83197126e-4f;
    const V q = t * -3.88396438e-3f + 2.42546219e-2f;
    p = p * s + q;
    p = p * t - 1.06777877e-1f;
    p = p * t - 6.34846687e-1f;
    p = p * t - 1.28717512e-1f;
    const V far = 1.0f - exp(p * t - t);
    V r = V{} - 5.96761703e-4f;
    r = r * s + 4.99119423e-3f;
    r = r * s - 2.67681349e-2f;
    r = r * s + 1.12819925e-1f;
    r = r * s - 3.76125336e-1f;
    r = r * s + 1.28379166e-1f;
    const V near = r * x + x;
    return t > V{} + 0.927734375f ? (x < V{} ? -far : far) : near;
  }
}

/// sigmoid(2 u), u = sqrt(2 / pi) (x + 0.044715 x^3): the factor of x in GELU.
template <class V>
EFLOW_FN V gelu_gate(V x) {
  using C = LaneOf<V>;
  return sigmoid(C(2 * 0.7978845608028654) * x * (C(1) + C(0.044715) * x * x));
}

/// GELU, tanh form: x / 2 (1 + tanh(u)) [Hendrycks & Gimpel, arXiv 1606.08415]. (1 + tanh(u)) / 2
/// is sigmoid(2 u), which is cheaper and does not cancel.
template <class V>
EFLOW_FN V gelu(V x) {
  return x * gelu_gate(x);
}

/// dy times the derivative of gelu at x.
template <class V>
EFLOW_FN V gelu_grad(V x, V dy) {
  using C = LaneOf<V>;
  const V gate = gelu_gate(x);
  const V inner_grad = C(2 * 0.7978845608028654) * (C(1) + C(3 * 0.044715) * x * x);
  return dy * gate * (C(1) + x * (C(1) - gate) * inner_grad);
}

}  // namespace EFLOW_TEXT
