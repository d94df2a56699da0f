#include "eflow/jit/host/thread_pool.hpp"

#include <linux/futex.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <mutex>
#include <thread>
#include <vector>

#include "eflow/core/base/error.hpp"
#include "eflow/jit/host/cpu_quota.hpp"
#include "eflow/jit/host/fork_count.hpp"

namespace eflow::jit {
namespace {

inline void relax() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#endif
}

/// Polls before a waiter sleeps: about ten microseconds, the gap between two launches of a training
/// step.
constexpr int kSpins = 2000;

/// Parts per share. A descheduled thread delays one part, not its whole share.
constexpr std::int64_t kPartsPerShare = 4;

// A futex is used directly because std::atomic::wait yields before it sleeps, and on a busy machine
// a yield may cost a time slice.
static_assert(sizeof(std::atomic<std::uint32_t>) == sizeof(std::uint32_t));

void sleep_while(std::atomic<std::uint32_t>& word, std::uint32_t value) {
  ::syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, value, nullptr, nullptr, 0);
}

void wake_all(std::atomic<std::uint32_t>& word) {
  ::syscall(SYS_futex, &word, FUTEX_WAKE_PRIVATE, INT32_MAX, nullptr, nullptr, 0);
}

/// A word that threads wait on, first polling and then sleeping.
class Signal {
 public:
  [[nodiscard]] std::uint32_t value() const { return word_.load(std::memory_order_acquire); }
  void set(std::uint32_t value) { word_.store(value, std::memory_order_relaxed); }

  /// Adds (modulo 2^32) and returns the sum. Earlier writes are visible to a thread that reads the
  /// new value.
  std::uint32_t add(std::uint32_t amount) { return word_.fetch_add(amount) + amount; }
  void wake() {
    if (sleepers_.load() > 0) wake_all(word_);
  }

  /// Waits until `go_on` holds for the value, and returns that value.
  template <typename Test>
  std::uint32_t wait(const Test& go_on) {
    std::uint32_t now = value();
    for (int spin = 0; spin < kSpins && !go_on(now); ++spin) {
      relax();
      now = value();
    }
    if (go_on(now)) return now;
    // sequentially consistent with add() and wake(): one side sees the other
    sleepers_.fetch_add(1);
    while (!go_on(now = word_.load())) sleep_while(word_, now);
    sleepers_.fetch_sub(1);
    return now;
  }

 private:
  std::atomic<std::uint32_t> word_{0};
  std::atomic<int> sleepers_{0};
};

/// The contiguous part of a launch that one thread runs, except for parts that others take.
struct alignas(64) Share {
  std::int64_t begin = 0, end = 0, parts = 0;
  std::atomic<std::int64_t> untaken{0};

  [[nodiscard]] std::int64_t at(std::int64_t part) const {
    return begin + (end - begin) * part / parts;
  }

  /// Claims a part and returns its number; -1 if none remains.
  std::int64_t take() {
    std::int64_t left = untaken.load(std::memory_order_relaxed);
    while (left > 0 && !untaken.compare_exchange_weak(left, left - 1, std::memory_order_acquire,
                                                      std::memory_order_relaxed)) {
    }
    return left > 0 ? parts - left : -1;
  }
};

struct FreeDeleter {
  void operator()(char* p) const { std::free(p); }
};
using Scratch = std::unique_ptr<char, FreeDeleter>;

Scratch make_scratch() {
  // Aligned to and marked for huge pages: kernels read packed operands from many pages at once.
  void* p = std::aligned_alloc(std::size_t{2} << 20, ThreadPool::kScratchBytes);
  if (p == nullptr) throw DeviceError("[thread pool] out of memory for a thread's scratch arena");
  ::madvise(p, ThreadPool::kScratchBytes, MADV_HUGEPAGE);  // a hint; failure is harmless
  return Scratch(static_cast<char*>(p));
}

}  // namespace

int available_threads() {
  cpu_set_t set;
  CPU_ZERO(&set);
  int threads = sched_getaffinity(0, sizeof set, &set) == 0
                    ? CPU_COUNT(&set)
                    : static_cast<int>(std::thread::hardware_concurrency());
  if (const int quota = cpu_quota(); quota > 0) threads = std::min(threads, quota);
  return std::max(1, threads);
}

struct ThreadPool::State {
  const unsigned forks = fork_count();
  int size = 1;
  std::mutex callers;
  // The current launch. Written only while no part of it can be claimed.
  Work work = nullptr;
  void* context = nullptr;
  std::vector<Share> shares;  // one per thread
  Signal generation;          // incremented for each launch and on shutdown
  Signal unfinished;          // number of parts not yet finished
  std::atomic<bool> stop{false};
  std::vector<Scratch> scratch;
  std::vector<std::thread> threads;

  void offer(std::int64_t count) {
    std::int64_t parts = 0;
    for (std::size_t i = 0; i < shares.size(); ++i) {
      const auto index = static_cast<std::int64_t>(i);
      shares[i].begin = count * index / size;
      shares[i].end = count * (index + 1) / size;
      shares[i].parts = std::min(kPartsPerShare, shares[i].end - shares[i].begin);
      parts += shares[i].parts;
    }
    unfinished.set(static_cast<std::uint32_t>(parts));
    for (Share& share : shares) share.untaken.store(share.parts, std::memory_order_release);
    generation.add(1);
    generation.wake();
  }

  /// Runs parts until none remains: first those of the thread's own share, whose data its caches
  /// may hold, then those of others. A thread that wakes late finds none left, and the launch does
  /// not wait for it.
  void take_parts(int thread) {
    for (int i = 0; i < size; ++i) {
      Share& share = shares[static_cast<std::size_t>((thread + i) % size)];
      for (std::int64_t part; (part = share.take()) >= 0;) {
        work(context, share.at(part), share.at(part + 1),
             scratch[static_cast<std::size_t>(thread)].get());
        if (unfinished.add(-1U) == 0) unfinished.wake();
      }
    }
  }

  void serve(int thread) {
    for (std::uint32_t seen = 0;;) {
      seen = generation.wait([seen](std::uint32_t now) { return now != seen; });
      if (stop.load(std::memory_order_relaxed)) return;
      take_parts(thread);
    }
  }
};

ThreadPool::ThreadPool(int threads) : state_(std::make_unique<State>()) {
  if (threads < 0 || threads > 1024) {
    throw InvalidArgument(
        str("[thread pool] ", threads, " threads; expected 1 to 1024, or 0 for all"));
  }
  State& s = *state_;
  s.size = threads == 0 ? available_threads() : threads;
  s.shares = std::vector<Share>(static_cast<std::size_t>(s.size));
  for (int i = 0; i < s.size; ++i) s.scratch.push_back(make_scratch());
  for (int i = 1; i < s.size; ++i) s.threads.emplace_back([&s, i] { s.serve(i); });
}

ThreadPool::~ThreadPool() {
  State& s = *state_;
  if (fork_count() != s.forks) {  // a forked child: the threads exist in the parent only
    static_cast<void>(state_.release());
    return;
  }
  s.stop.store(true, std::memory_order_relaxed);
  s.generation.add(1);
  s.generation.wake();
  for (std::thread& t : s.threads) t.join();
}

int ThreadPool::size() const {
  return state_->size;
}

void ThreadPool::run(std::int64_t count, Work work, void* context) {
  State& s = *state_;
  if (count <= 0) return;
  // In a forked child there are no worker threads, and the lock may be held forever.
  if (fork_count() != s.forks) return work(context, 0, count, s.scratch[0].get());
  const std::lock_guard lock(s.callers);
  if (s.size == 1 || count == 1) return work(context, 0, count, s.scratch[0].get());
  s.work = work;
  s.context = context;
  s.offer(count);
  s.take_parts(0);
  s.unfinished.wait([](std::uint32_t left) { return left == 0; });
}

}  // namespace eflow::jit
