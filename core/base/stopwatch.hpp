#pragma once
// How long something takes: by a clock that never jumps, and by the CPU's.

#include <chrono>
#include <ctime>
#include <utility>

namespace eflow {

class Stopwatch {
 public:
  /// Since it was made, or since the last lap.
  [[nodiscard]] double seconds() const { return between(begin_, Clock::now()); }
  /// The same; the next lap begins.
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

/// CPU time of all threads of the process so far.
inline double process_cpu_seconds() {
  timespec t{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
  return static_cast<double>(t.tv_sec) + 1e-9 * static_cast<double>(t.tv_nsec);
}

}  // namespace eflow
