#pragma once
// How long something takes, by a clock that never jumps.

#include <chrono>
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

}  // namespace eflow
