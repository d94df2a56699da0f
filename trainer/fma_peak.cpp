#include "eflow/trainer/fma_peak.hpp"

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <functional>
#include <numeric>
#include <thread>
#include <vector>

#include "eflow/base/stopwatch.hpp"

namespace eflow::trainer {
namespace {

// Enough independent chains to cover the latency of two FMA units (2 x 4 cycles) with room to spare, few enough to
// stay in registers.
constexpr int kChains = 12;
constexpr std::int64_t kRounds = 200'000;

template <int kLanes>
struct Lanes {
  typedef float Vector __attribute__((vector_size(kLanes * sizeof(float))));
};

/// kRounds rounds of kChains dependent a = a * b + c; returns their sum so that nothing is left out.
template <int kLanes>
[[gnu::always_inline]] inline float fma_rounds(float seed) {
  using Vector = typename Lanes<kLanes>::Vector;
  Vector sum[kChains];
  for (int i = 0; i < kChains; ++i) sum[i] = Vector{} + (seed + static_cast<float>(i));
  const Vector factor = Vector{} + 0.999f, term = Vector{} + 0.001f;
  for (std::int64_t round = 0; round < kRounds; ++round) {
#pragma GCC unroll 16
    for (int i = 0; i < kChains; ++i) sum[i] = sum[i] * factor + term;
  }
  float total = 0;
  for (const Vector& chain : sum) total += chain[0];
  return total;
}

#if defined(__x86_64__)
[[gnu::target("avx512f,prefer-vector-width=512"), gnu::optimize("fp-contract=fast")]] float
rounds_avx512(float seed) {
  return fma_rounds<16>(seed);
}
/// The same with products of bf16 pairs.
[[gnu::target("avx512f,avx512bf16,prefer-vector-width=512")]] float rounds_bf16(float seed) {
  using Vector = Lanes<16>::Vector;
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
  for (int i = 0; i < kChains; ++i) sum[i] = Vector{} + (seed + static_cast<float>(i));
  Halves x;
  std::memcpy(&x, &sum[1], sizeof x);
  for (std::int64_t round = 0; round < kRounds; ++round) {
#pragma GCC unroll 16
    for (int i = 0; i < kChains; ++i) sum[i] = EFLOW_DOT(sum[i], x, x);
  }
#undef EFLOW_DOT
  float total = 0;
  for (const Vector& chain : sum) total += chain[0];
  return total;
}
[[gnu::target("avx2,fma"), gnu::optimize("fp-contract=fast")]] float rounds_avx2(float seed) {
  return fma_rounds<8>(seed);
}
#endif
float rounds_baseline(float seed) {
  return fma_rounds<4>(seed);
}

struct Kernel {
  float (*run)(float);
  int products;  ///< of one instruction
};

Kernel widest_kernel(DType dtype) {
#if defined(__x86_64__)
  if (dtype == DType::kBF16 && __builtin_cpu_supports("avx512bf16")) return {rounds_bf16, 32};
  if (__builtin_cpu_supports("avx512f")) return {rounds_avx512, 16};
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return {rounds_avx2, 8};
#endif
  return {rounds_baseline, 4};
}

/// Of `work(thread)` on all threads.
double seconds_of_run(int threads, const std::function<void(std::size_t)>& work) {
  const Stopwatch watch;
  std::vector<std::thread> others;
  for (std::size_t i = 1; i < static_cast<std::size_t>(threads); ++i)
    others.emplace_back([&, i] { work(i); });
  work(0);
  for (auto& thread : others) thread.join();
  return watch.seconds();
}

double best_seconds(int threads, double seconds, const std::function<void(std::size_t)>& work) {
  double best = seconds_of_run(threads, work);
  for (double spent = best; spent < seconds;) {
    const double now = seconds_of_run(threads, work);
    best = std::min(best, now);
    spent += now;
  }
  return best;
}

}  // namespace

double measure_fma_peak(int threads, double seconds, DType dtype) {
  const Kernel kernel = widest_kernel(dtype);
  std::vector<float> results(static_cast<std::size_t>(threads));
  const double best = best_seconds(threads, seconds, [&](std::size_t thread) {
    results[thread] = kernel.run(static_cast<float>(thread));
  });
  return 2.0 * kernel.products * kChains * static_cast<double>(kRounds) * threads / best;
}

double measure_memory_rate(int threads, double seconds) {
  // Beyond any cache of one socket that its threads could be alone in.
  constexpr std::size_t kWords = std::size_t{16} << 20;
  const std::vector<std::uint64_t> words(kWords * static_cast<std::size_t>(threads), 1);
  std::vector<std::uint64_t> sums(static_cast<std::size_t>(threads));
  const double best = best_seconds(threads, seconds, [&](std::size_t thread) {
    const std::uint64_t* const from = words.data() + thread * kWords;
    sums[thread] = std::accumulate(from, from + kWords, std::uint64_t{0});
  });
  return static_cast<double>(words.size() * sizeof(std::uint64_t)) / best;
}

}  // namespace eflow::trainer
