#include "eflow/jit/host/multiply_loop.hpp"

#include <algorithm>
#include <cstring>

namespace eflow::jit {
namespace {

// Enough independent chains to hide the latency of two FMA units (2 x 4 cycles) with room to spare,
// few enough to stay in registers.
constexpr int kChains = 12;

template <class Element, int kBytes>
struct Lanes {
  typedef Element Vector __attribute__((vector_size(kBytes)));
};

/// Runs rounds of kChains dependent a = a * b + c, which converge: no denormals and no
/// infinities. Returns a value that depends on all chains, so that the compiler keeps them.
template <class Element, int kBytes>
[[gnu::always_inline]] inline double fma_rounds(double seed, std::int64_t rounds) {
  using Vector = typename Lanes<Element, kBytes>::Vector;
  Vector sum[kChains];
  for (int i = 0; i < kChains; ++i) sum[i] = Vector{} + static_cast<Element>(seed + i);
  const Vector factor = Vector{} + Element(0.999), term = Vector{} + Element(0.001);
  for (std::int64_t round = 0; round < rounds; ++round) {
#pragma GCC unroll 16
    for (int i = 0; i < kChains; ++i) sum[i] = sum[i] * factor + term;
  }
  double total = 0;
  for (const Vector& chain : sum) total += static_cast<double>(chain[0]);
  return total;
}

#if defined(__x86_64__)
// clang contracts a * b + c by default and knows no attribute for it, nor for vector widths.
#if defined(__clang__)
#define EFLOW_FMA
#define EFLOW_WIDE
#else
#define EFLOW_FMA , gnu::optimize("fp-contract=fast")
#define EFLOW_WIDE ",prefer-vector-width=512"
#endif
[[gnu::target("avx512f" EFLOW_WIDE) EFLOW_FMA]] double f32_avx512(double seed,
                                                                  std::int64_t rounds) {
  return fma_rounds<float, 64>(seed, rounds);
}
[[gnu::target("avx512f" EFLOW_WIDE) EFLOW_FMA]] double f64_avx512(double seed,
                                                                  std::int64_t rounds) {
  return fma_rounds<double, 64>(seed, rounds);
}
[[gnu::target("avx2,fma") EFLOW_FMA]] double f32_avx2(double seed, std::int64_t rounds) {
  return fma_rounds<float, 32>(seed, rounds);
}
[[gnu::target("avx2,fma") EFLOW_FMA]] double f64_avx2(double seed, std::int64_t rounds) {
  return fma_rounds<double, 32>(seed, rounds);
}
/// The same with products of bf16 pairs.
[[gnu::target("avx512f,avx512bf16" EFLOW_WIDE)]] double bf16_avx512(double seed,
                                                                    std::int64_t rounds) {
  using Vector = Lanes<float, 64>::Vector;
#if defined(__clang__)
  typedef __bf16 Halves __attribute__((vector_size(64)));
#define EFLOW_DOT __builtin_ia32_dpbf16ps_512
#elif __GNUC__ >= 13
  typedef __bf16 Halves __attribute__((vector_size(64)));
#define EFLOW_DOT __builtin_ia32_dpbf16ps_v16sf
#else
  typedef short Halves __attribute__((vector_size(64)));
#define EFLOW_DOT __builtin_ia32_dpbf16ps_v16sf
#endif
  Vector sum[kChains];
  for (int i = 0; i < kChains; ++i) sum[i] = Vector{} + static_cast<float>(seed + i);
  Halves x;
  std::memcpy(&x, &sum[1], sizeof x);
  for (std::int64_t round = 0; round < rounds; ++round) {
#pragma GCC unroll 16
    for (int i = 0; i < kChains; ++i) sum[i] = EFLOW_DOT(sum[i], x, x);
  }
#undef EFLOW_DOT
  double total = 0;
  for (const Vector& chain : sum) total += static_cast<double>(chain[0]);
  return total;
}
/// Products of tile registers: 4 independent sums of 2 x 2 operands.
double bf16_amx(double seed, std::int64_t rounds) {
  struct alignas(64) Config {
    std::uint8_t palette = 1, start = 0, reserved[14] = {};
    std::uint16_t row_bytes[16] = {64, 64, 64, 64, 64, 64, 64, 64};
    std::uint8_t rows[16] = {16, 16, 16, 16, 16, 16, 16, 16};
  } const config;
  alignas(64) float values[16 * 16];
  std::fill_n(values, 256, static_cast<float>(seed));
  const std::int64_t stride = 64;
  asm volatile(
      "ldtilecfg %0\n tilezero %%tmm0\n tilezero %%tmm1\n tilezero %%tmm2\n tilezero %%tmm3\n"
      "tileloadd (%1,%2,1), %%tmm4\n tileloadd (%1,%2,1), %%tmm5\n"
      "tileloadd (%1,%2,1), %%tmm6\n tileloadd (%1,%2,1), %%tmm7\n"
      :
      : "m"(config), "r"(values), "r"(stride)
      : "memory");
  for (std::int64_t round = 0; round < rounds; ++round) {
    asm volatile(
        "tdpbf16ps %%tmm6, %%tmm4, %%tmm0\n tdpbf16ps %%tmm7, %%tmm4, %%tmm1\n"
        "tdpbf16ps %%tmm6, %%tmm5, %%tmm2\n tdpbf16ps %%tmm7, %%tmm5, %%tmm3\n" ::);
  }
  asm volatile("tilestored %%tmm3, (%0,%1,1)\n tilerelease"
               :
               : "r"(values), "r"(stride)
               : "memory");
  return static_cast<double>(values[0]);
}
#endif
double f32_baseline(double seed, std::int64_t rounds) {
  return fma_rounds<float, 16>(seed, rounds);
}
double f64_baseline(double seed, std::int64_t rounds) {
  return fma_rounds<double, 16>(seed, rounds);
}

}  // namespace

MultiplyLoop multiply_loop(DType dtype, Isa isa) {
  const bool f64 = dtype == DType::kF64;
#if defined(__x86_64__)
  if (dtype == DType::kBF16 && isa == Isa::kAmx) return {bf16_amx, 4 * 16 * 16 * 32};
  if (dtype == DType::kBF16 && isa == Isa::kAvx512Bf16) return {bf16_avx512, kChains * 32};
  if (isa >= Isa::kAvx512)
    return f64 ? MultiplyLoop{f64_avx512, kChains * 8} : MultiplyLoop{f32_avx512, kChains * 16};
  if (isa == Isa::kAvx2)
    return f64 ? MultiplyLoop{f64_avx2, kChains * 4} : MultiplyLoop{f32_avx2, kChains * 8};
#endif
  static_cast<void>(isa);
  return f64 ? MultiplyLoop{f64_baseline, kChains * 2} : MultiplyLoop{f32_baseline, kChains * 4};
}

}  // namespace eflow::jit
