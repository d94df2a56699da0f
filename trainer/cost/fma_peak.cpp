#include "eflow/trainer/cost/fma_peak.hpp"

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <cstring>
#include <ctime>
#include <functional>
#include <numeric>
#include <thread>
#include <vector>

namespace eflow::trainer {
namespace {

// Enough independent chains to hide the latency of two FMA units (2 x 4 cycles) with room to spare,
// few enough to stay in registers.
constexpr int kChains = 12;
constexpr std::int64_t kRounds = 200'000;

template <class Element, int kBytes>
struct Lanes {
  typedef Element Vector __attribute__((vector_size(kBytes)));
};

/// Runs kRounds rounds of kChains dependent a = a * b + c, which converge: no denormals and no
/// infinities. Returns a value that depends on all chains, so that the compiler keeps them.
template <class Element, int kBytes>
[[gnu::always_inline]] inline double fma_rounds(double seed) {
  using Vector = typename Lanes<Element, kBytes>::Vector;
  Vector sum[kChains];
  for (int i = 0; i < kChains; ++i) sum[i] = Vector{} + static_cast<Element>(seed + i);
  const Vector factor = Vector{} + Element(0.999), term = Vector{} + Element(0.001);
  for (std::int64_t round = 0; round < kRounds; ++round) {
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
[[gnu::target("avx512f" EFLOW_WIDE) EFLOW_FMA]] double f32_avx512(double seed) {
  return fma_rounds<float, 64>(seed);
}
[[gnu::target("avx512f" EFLOW_WIDE) EFLOW_FMA]] double f64_avx512(double seed) {
  return fma_rounds<double, 64>(seed);
}
[[gnu::target("avx2,fma") EFLOW_FMA]] double f32_avx2(double seed) {
  return fma_rounds<float, 32>(seed);
}
[[gnu::target("avx2,fma") EFLOW_FMA]] double f64_avx2(double seed) {
  return fma_rounds<double, 32>(seed);
}
/// The same with products of bf16 pairs.
[[gnu::target("avx512f,avx512bf16" EFLOW_WIDE)]] double bf16_avx512(double seed) {
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
  for (std::int64_t round = 0; round < kRounds; ++round) {
#pragma GCC unroll 16
    for (int i = 0; i < kChains; ++i) sum[i] = EFLOW_DOT(sum[i], x, x);
  }
#undef EFLOW_DOT
  double total = 0;
  for (const Vector& chain : sum) total += static_cast<double>(chain[0]);
  return total;
}
#endif
double f32_baseline(double seed) {
  return fma_rounds<float, 16>(seed);
}
double f64_baseline(double seed) {
  return fma_rounds<double, 16>(seed);
}

struct Kernel {
  double (*run)(double);
  int products;  ///< of one instruction
};

jit::Isa widest_isa() {
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx512bf16")) return jit::Isa::kAvx512Bf16;
  if (__builtin_cpu_supports("avx512f")) return jit::Isa::kAvx512;
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return jit::Isa::kAvx2;
#endif
  return jit::Isa::kBaseline;
}

Kernel kernel_for(DType dtype, jit::Isa isa) {
  const bool f64 = dtype == DType::kF64;
#if defined(__x86_64__)
  if (dtype == DType::kBF16 && isa == jit::Isa::kAvx512Bf16) return {bf16_avx512, 32};
  if (isa == jit::Isa::kAvx512 || isa == jit::Isa::kAvx512Bf16)
    return f64 ? Kernel{f64_avx512, 8} : Kernel{f32_avx512, 16};
  if (isa == jit::Isa::kAvx2) return f64 ? Kernel{f64_avx2, 4} : Kernel{f32_avx2, 8};
#endif
  static_cast<void>(isa);
  return f64 ? Kernel{f64_baseline, 2} : Kernel{f32_baseline, 4};
}

double now(bool cpu_time) {
  std::timespec t{};
  clock_gettime(cpu_time ? CLOCK_THREAD_CPUTIME_ID : CLOCK_MONOTONIC, &t);
  return static_cast<double>(t.tv_sec) + 1e-9 * static_cast<double>(t.tv_nsec);
}

/// Runs work(thread) on all threads at once. Returns the seconds from the first begin to the last
/// end, without the start of the threads; with cpu_time those of the thread that took longest.
double seconds_of_run(int threads, bool cpu_time, const std::function<void(std::size_t)>& work) {
  const auto count = static_cast<std::size_t>(threads);
  std::vector<double> begin(count), end(count);
  std::atomic<std::size_t> ready = 0;
  const auto run = [&](std::size_t i) {
    for (++ready; ready < count;) std::this_thread::yield();
    begin[i] = now(cpu_time);
    work(i);
    end[i] = now(cpu_time);
  };
  std::vector<std::thread> others;
  for (std::size_t i = 1; i < count; ++i) others.emplace_back(run, i);
  run(0);
  for (auto& thread : others) thread.join();
  if (!cpu_time)
    return *std::max_element(end.begin(), end.end()) -
           *std::min_element(begin.begin(), begin.end());
  double longest = 0;
  for (std::size_t i = 0; i < count; ++i) longest = std::max(longest, end[i] - begin[i]);
  return longest;
}

double best_seconds(int threads, double seconds, bool cpu_time,
                    const std::function<void(std::size_t)>& work) {
  double best = seconds_of_run(threads, cpu_time, work);
  for (double spent = best; spent < seconds;) {
    const double next = seconds_of_run(threads, cpu_time, work);
    best = std::min(best, next);
    spent += next;
  }
  return best;
}

}  // namespace

double measure_fma_peak(int threads, double seconds, DType dtype, std::optional<jit::Isa> isa,
                        bool cpu_time) {
  const Kernel kernel = kernel_for(dtype, isa.value_or(widest_isa()));
  std::vector<double> results(static_cast<std::size_t>(threads));
  const double best = best_seconds(threads, seconds, cpu_time, [&](std::size_t thread) {
    results[thread] = kernel.run(static_cast<double>(thread));
  });
  return 2.0 * kernel.products * kChains * static_cast<double>(kRounds) * threads / best;
}

double measure_memory_rate(int threads, double seconds) {
  // 128 MiB per thread: more than the share of a thread in any cache.
  constexpr std::size_t kWords = std::size_t{16} << 20;
  const std::vector<std::uint64_t> words(kWords * static_cast<std::size_t>(threads), 1);
  std::vector<std::uint64_t> sums(static_cast<std::size_t>(threads));
  const double best = best_seconds(threads, seconds, false, [&](std::size_t thread) {
    const std::uint64_t* const from = words.data() + thread * kWords;
    sums[thread] = std::accumulate(from, from + kWords, std::uint64_t{0});
  });
  return static_cast<double>(words.size() * sizeof(std::uint64_t)) / best;
}

}  // namespace eflow::trainer
