#pragma once
// The one pool on which CPU launches run. A range is split into one contiguous share a thread, always the same way, so that
// a thread meets data that its caches know; who is done with its own takes parts of the others' shares, so that a thread
// that lost its CPU holds up little. Blocks of a kernel are independent: results do not depend on who ran them. The caller
// takes part; a launch of one block never leaves it. In the child of a fork() the threads are gone: it runs all by itself,
// but it must not fork in the middle of a run.

#include <cstddef>
#include <cstdint>
#include <memory>

namespace eflow::jit {

/// Threads this process may use: its affinity mask, bounded by the container's CPU quota; at least 1.
[[nodiscard]] int available_threads();

class ThreadPool {
 public:
  /// Bytes of each thread's scratch arena, 64-byte aligned.
  static constexpr std::size_t kScratchBytes = std::size_t{4} << 20;

  /// threads = 0 takes available_threads(). Throws InvalidArgument when negative or above 1024.
  explicit ThreadPool(int threads = 0);
  ~ThreadPool();

  [[nodiscard]] int size() const;

  /// Calls work(context, begin, end, scratch) so that the parts cover [0, count) once, and waits for all of them.
  /// Work must not throw and must not call run() of the same pool. Concurrent callers take turns.
  using Work = void (*)(void* context, std::int64_t begin, std::int64_t end, char* scratch);
  void run(std::int64_t count, Work work, void* context);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace eflow::jit
