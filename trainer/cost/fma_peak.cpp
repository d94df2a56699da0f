#include "eflow/trainer/cost/fma_peak.hpp"

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <ctime>
#include <functional>
#include <numeric>
#include <thread>
#include <vector>

#include "eflow/jit/host/multiply_loop.hpp"

namespace eflow::trainer {
namespace {

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
  constexpr double kProducts = 4e7;  // of one thread in one run
  // Of equally wide instructions, the best is the fastest, not the newest.
  std::vector<jit::Isa> isas = isa ? std::vector<jit::Isa>{*isa} : jit::usable_isas();
  const jit::Isa least = std::min(isas.back(), jit::Isa::kAvx512);
  std::erase_if(isas, [&](jit::Isa each) { return each < least; });
  double best_rate = 0;
  for (const jit::Isa each : isas) {
    const jit::MultiplyLoop loop = jit::multiply_loop(dtype, each);
    const auto rounds = static_cast<std::int64_t>(kProducts / static_cast<double>(loop.products));
    std::vector<double> results(static_cast<std::size_t>(threads));
    const double best = best_seconds(
        threads, seconds / static_cast<double>(isas.size()), cpu_time, [&](std::size_t thread) {
          results[thread] = loop.run(1 + static_cast<double>(thread), rounds);
        });
    best_rate =
        std::max(best_rate, 2.0 * static_cast<double>(loop.products * rounds) * threads / best);
  }
  return best_rate;
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
