#pragma once
// race: which of several candidates is the fastest, from noisy times. All that run are timed in turn, round after round,
// so that what slows the machine for a while slows all of them; a candidate leaves when its median lies surely above the
// leader's. It knows nothing of kernels: the clock is a function, and a test's may be a fake.

#include <functional>
#include <vector>

namespace eflow::jit {

/// Where the median of what the samples were drawn from lies with 95 % confidence, by order statistics: nothing is assumed
/// of how times are distributed, and outliers move nothing.
struct MedianInterval {
  double low = 0, median = 0, high = 0;
};
/// samples must not be empty. With fewer than 6 the interval is all of them, and less sure.
[[nodiscard]] MedianInterval median_interval(std::vector<double> samples);

struct RaceOptions {
  int min_rounds = 7;          ///< before anyone leaves
  int max_rounds = 60;         ///< then what is not separated counts as equal
  double budget_seconds = 20;  ///< then, too; asked after each round
  double hysteresis =
      0.03;  ///< the incumbent stays unless it is surely slower, and by more than this share
  double equal = 0.01;  ///< medians this close count as equal: the first listed wins
};

struct RaceResult {
  int best = 0;     ///< the winner; the incumbent unless it was surely beaten
  int fastest = 0;  ///< by median, whether or not that is enough
  double gain = 0;  ///< 1 - time of best / time of the incumbent
  bool separated =
      false;  ///< whether the incumbent's and the fastest's intervals are disjoint (or they are one)
  int rounds = 0;
};

struct Race {
  /// One sample of each candidate's time, of any unit; called in turn for those still in the race.
  std::function<double(int candidate)> time;
  /// Seconds since some moment, for the budget.
  std::function<double()> now;
  /// After each round, for saving what is known; may be empty.
  std::function<void()> after_round;
};

/// samples[i]: what is known of candidate i, kept up to date; a race goes on from samples of an earlier one. The incumbent
/// never leaves. At least one candidate.
RaceResult run_race(std::vector<std::vector<double>>& samples, int incumbent, const Race& race,
                    const RaceOptions& options = {});

}  // namespace eflow::jit
