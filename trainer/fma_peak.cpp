#include "eflow/trainer/fma_peak.hpp"

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <thread>
#include <vector>

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
[[gnu::target("avx2,fma"), gnu::optimize("fp-contract=fast")]] float rounds_avx2(float seed) {
  return fma_rounds<8>(seed);
}
#endif
float rounds_baseline(float seed) {
  return fma_rounds<4>(seed);
}

struct Kernel {
  float (*run)(float);
  int lanes;
};

Kernel widest_kernel() {
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx512f")) return {rounds_avx512, 16};
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return {rounds_avx2, 8};
#endif
  return {rounds_baseline, 4};
}

double seconds_of_run(const Kernel& kernel, int threads) {
  std::vector<float> results(static_cast<std::size_t>(threads));
  const auto begin = std::chrono::steady_clock::now();
  std::vector<std::thread> others;
  for (int i = 1; i < threads; ++i) {
    others.emplace_back(
        [&, i] { results[static_cast<std::size_t>(i)] = kernel.run(static_cast<float>(i)); });
  }
  results[0] = kernel.run(0);
  for (auto& thread : others) thread.join();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

}  // namespace

double measure_fma_peak(int threads, double seconds) {
  const Kernel kernel = widest_kernel();
  const double flops = 2.0 * kernel.lanes * kChains * static_cast<double>(kRounds) * threads;
  double best = seconds_of_run(kernel, threads);
  for (double spent = best; spent < seconds;) {
    const double now = seconds_of_run(kernel, threads);
    best = std::min(best, now);
    spent += now;
  }
  return flops / best;
}

}  // namespace eflow::trainer
