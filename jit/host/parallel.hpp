#pragma once
// Runs a small number of compiles in parallel. Internal to jit.

#include <algorithm>
#include <atomic>
#include <thread>
#include <vector>

#include "eflow/jit/host/thread_pool.hpp"

namespace eflow::jit {

/// A compile takes several hundred megabytes, so more threads risk running out of memory for little
/// gain.
inline constexpr int kMaxCompileThreads = 8;

/// Calls f(0) .. f(count - 1) once each, on up to `threads` threads (0: one per usable CPU thread,
/// at most kMaxCompileThreads), and waits for all. f must not throw.
template <class F>
void parallel_for(std::size_t count, int threads, F&& f) {
  if (threads == 0) threads = std::min(available_threads(), kMaxCompileThreads);
  std::atomic<std::size_t> next{0};
  const auto work = [&] {
    for (std::size_t i = next++; i < count; i = next++) f(i);
  };
  std::vector<std::jthread> helpers;
  for (std::size_t i = 1; i < std::min(static_cast<std::size_t>(threads), count); ++i)
    helpers.emplace_back(work);
  work();
}

}  // namespace eflow::jit
