#pragma once
// ThreadPool: the pool that runs CPU launches. A range is split into one contiguous share per
// thread, always in the same way, so that threads reuse warm caches. A thread that finishes early
// takes parts of other shares, so that a descheduled thread delays the launch little. Blocks of a
// kernel are independent, so results do not depend on the schedule. The calling thread takes part,
// and a launch of one block runs on it alone. In the child of a fork() the worker threads are gone
// and run() executes everything on the caller; a fork during a run is not supported.

#include <cstddef>
#include <cstdint>
#include <memory>

#include "eflow/core/base/export.hpp"

EFLOW_EXPORT_BEGIN

namespace eflow::jit {

/// The number of threads that this process may use: its affinity mask, bounded by the container's
/// CPU quota; at least 1.
[[nodiscard]] int available_threads();

/// Threads: run() may be called concurrently.
class ThreadPool {
 public:
  /// Size in bytes of each thread's scratch arena, which is 64-byte aligned.
  static constexpr std::size_t kScratchBytes = std::size_t{4} << 20;

  /// `threads` = 0 means available_threads(). Throws InvalidArgument if negative or above 1024.
  explicit ThreadPool(int threads = 0);
  ~ThreadPool();

  [[nodiscard]] int size() const;

  /// Calls work(context, begin, end, scratch) for ranges that partition [0, count), and waits for
  /// all of them. `work` must not throw or call run() of the same pool. Concurrent calls run one
  /// after another.
  using Work = void (*)(void* context, std::int64_t begin, std::int64_t end, char* scratch);
  void run(std::int64_t count, Work work, void* context);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace eflow::jit

EFLOW_EXPORT_END
