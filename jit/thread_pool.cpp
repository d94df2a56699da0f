#include "eflow/jit/thread_pool.hpp"

#include <sched.h>
#include <sys/mman.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <fstream>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "eflow/base/error.hpp"
#include "eflow/jit/fork_count.hpp"

namespace eflow::jit {
namespace {

/// Whole CPUs of the control group's quota (cgroup v2, then v1); 0 = none set.
int quota_threads() {
  std::string quota;
  double period = 0;
  if (std::ifstream v2("/sys/fs/cgroup/cpu.max"); v2 >> quota >> period && quota != "max") {
    return std::max(1, static_cast<int>(std::stod(quota) / period));
  }
  double v1_quota = 0, v1_period = 0;
  std::ifstream q("/sys/fs/cgroup/cpu/cpu.cfs_quota_us"), p("/sys/fs/cgroup/cpu/cpu.cfs_period_us");
  if (q >> v1_quota && p >> v1_period && v1_quota > 0 && v1_period > 0) {
    return std::max(1, static_cast<int>(v1_quota / v1_period));
  }
  return 0;
}

inline void relax() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#endif
}

/// How often a waiter looks before it sleeps: some ten microseconds, the gap between two launches of a step.
constexpr int kSpins = 2000;

struct FreeDeleter {
  void operator()(char* p) const { std::free(p); }
};
using Scratch = std::unique_ptr<char, FreeDeleter>;

Scratch make_scratch() {
  // Aligned and marked for huge pages: packed operands are walked along many pages at once.
  void* p = std::aligned_alloc(std::size_t{2} << 20, ThreadPool::kScratchBytes);
  if (p == nullptr) throw DeviceError("[thread pool] no memory for a thread's scratch");
  ::madvise(p, ThreadPool::kScratchBytes, MADV_HUGEPAGE);  // advice: failing changes nothing
  return Scratch(static_cast<char*>(p));
}

}  // namespace

int available_threads() {
  cpu_set_t set;
  CPU_ZERO(&set);
  int threads = sched_getaffinity(0, sizeof set, &set) == 0
                    ? CPU_COUNT(&set)
                    : static_cast<int>(std::thread::hardware_concurrency());
  if (const int quota = quota_threads(); quota > 0) threads = std::min(threads, quota);
  return std::max(1, threads);
}

struct ThreadPool::State {
  const unsigned forks = fork_count();
  int size = 1;
  std::mutex callers;
  Work work = nullptr;
  void* context = nullptr;
  std::int64_t count = 0;
  std::atomic<std::uint32_t> generation{0};  // a new value means: there is work, or the end
  std::atomic<int> busy{0};
  std::atomic<bool> stop{false};
  std::vector<Scratch> scratch;
  std::vector<std::thread> threads;

  void part(int index) {
    const std::int64_t begin = count * index / size, end = count * (index + 1) / size;
    if (begin < end) work(context, begin, end, scratch[static_cast<std::size_t>(index)].get());
  }

  /// In the child of a fork there are no threads, and nobody who could have the lock: every part in turn.
  void run_alone(std::int64_t parts_of, Work now, void* with) {
    work = now;
    context = with;
    count = parts_of;
    for (int i = 0; i < size; ++i) part(i);
  }

  void serve(int index) {
    std::uint32_t seen = 0;
    for (;;) {
      for (int spin = 0; spin < kSpins && generation.load(std::memory_order_acquire) == seen;
           ++spin)
        relax();
      generation.wait(seen, std::memory_order_acquire);
      seen = generation.load(std::memory_order_acquire);
      if (stop.load(std::memory_order_relaxed)) return;
      part(index);
      if (busy.fetch_sub(1, std::memory_order_acq_rel) == 1) busy.notify_one();
    }
  }
};

ThreadPool::ThreadPool(int threads) : state_(std::make_unique<State>()) {
  if (threads < 0 || threads > 1024) {
    throw InvalidArgument(str("[thread pool] ", threads, " threads; expected 0 (all) to 1024"));
  }
  State& s = *state_;
  s.size = threads == 0 ? available_threads() : threads;
  for (int i = 0; i < s.size; ++i) s.scratch.push_back(make_scratch());
  for (int i = 1; i < s.size; ++i) s.threads.emplace_back([&s, i] { s.serve(i); });
}

ThreadPool::~ThreadPool() {
  State& s = *state_;
  if (fork_count() != s.forks) {  // the threads stayed with the parent: nobody to wait for
    static_cast<void>(state_.release());
    return;
  }
  s.stop.store(true, std::memory_order_relaxed);
  s.generation.fetch_add(1, std::memory_order_release);
  s.generation.notify_all();
  for (std::thread& t : s.threads) t.join();
}

int ThreadPool::size() const {
  return state_->size;
}

void ThreadPool::run(std::int64_t count, Work work, void* context) {
  State& s = *state_;
  if (fork_count() != s.forks) return s.run_alone(count, work, context);
  const std::lock_guard lock(s.callers);
  if (s.size == 1 || count <= 1) {
    if (count > 0) work(context, 0, count, s.scratch[0].get());
    return;
  }
  s.work = work;
  s.context = context;
  s.count = count;
  s.busy.store(s.size - 1, std::memory_order_relaxed);
  s.generation.fetch_add(1, std::memory_order_release);
  s.generation.notify_all();
  s.part(0);
  for (int spin = 0; spin < kSpins && s.busy.load(std::memory_order_acquire) != 0; ++spin) relax();
  for (int left; (left = s.busy.load(std::memory_order_acquire)) != 0;) {
    s.busy.wait(left, std::memory_order_acquire);
  }
}

}  // namespace eflow::jit
