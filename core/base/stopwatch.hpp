#pragma once
// Elapsed wall-clock time (monotonic) and CPU time, in seconds.

#include <chrono>
#include <ctime>
#include <utility>

namespace eflow {

/// Measures wall-clock time with a monotonic clock. Threads: one at a time.
class Stopwatch {
 public:
  /// Returns the seconds since construction or the last lap().
  [[nodiscard]] double seconds() const { return between(begin_, Clock::now()); }
  /// Returns seconds() and restarts the measurement.
  double lap() {
    const auto now = Clock::now();
    return between(std::exchange(begin_, now), now);
  }

 private:
  using Clock = std::chrono::steady_clock;
  static double between(Clock::time_point begin, Clock::time_point end) {
    return std::chrono::duration<double>(end - begin).count();
  }
  Clock::time_point begin_ = Clock::now();
};

/// Returns the CPU seconds used by all threads of the process so far.
inline double process_cpu_seconds() {
  timespec t{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
  return static_cast<double>(t.tv_sec) + 1e-9 * static_cast<double>(t.tv_nsec);
}

}  // namespace eflow
