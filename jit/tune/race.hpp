#pragma once
// race: finds the fastest of several candidates from noisy timings. All remaining candidates are
// timed in turn, round after round, and compared by the ratios of their times in the same round, so
// that a temporary slowdown of the machine cancels. A candidate drops out when the confidence
// interval of its ratio to the leader's time lies above 1. Many candidates
// are first halved by their first samples (successive halving [Jamieson & Talwalkar, AISTATS 2016]).
// Independent of kernels: the clock is a function, which tests replace.

#include <functional>
#include <vector>

#include "eflow/core/base/export.hpp"

EFLOW_EXPORT_BEGIN

namespace eflow::jit {

/// A 95 % confidence interval of the median, from order statistics: it assumes no distribution and
/// is robust to outliers.
struct MedianInterval {
  double low = 0, median = 0, high = 0;
};
/// `samples` must not be empty. With fewer than 6 samples the interval spans all of them and its
/// coverage is below 95 %. `deviations`: half the width for other coverages, in standard deviations.
[[nodiscard]] MedianInterval median_interval(std::vector<double> samples, double deviations = 1.96);

struct RaceOptions {
  int min_rounds = 7;    ///< rounds before a candidate may drop out by its interval
  int max_rounds = 240;  ///< rounds after which unseparated candidates count as equal
  /// Time limit, checked after each round; the race is then incomplete. 0: 20 s and a quarter of a
  /// second for each candidate.
  double budget_seconds = 0;
  /// While more candidates than this remain, the slower half of them leaves after 2, 4 and 8 samples,
  /// judged by the least of these, except those within a tenth of the leader.
  int most_unhalved = 16;
  /// The incumbent is replaced only by a candidate that is certainly faster, by more than this share.
  double hysteresis = 0.03;
  /// Candidates that are likely to be the fastest, as of a similar race; may be empty. They and the
  /// incumbent are timed `min_rounds` times before the others. Those are timed too, but leave after two
  /// samples if both are slower than the leader of the start by more than half.
  std::vector<int> start = {};
  double equal = 0.01;  ///< ratios within this share of 1 count as equal; the first listed wins
  double close = 0.02;  ///< the race ends when `margin` is not above this
};

struct RaceResult {
  int best = 0;     ///< the winner: the incumbent unless it was beaten with confidence
  int fastest = 0;  ///< the candidate with the least median, significant or not
  double gain = 0;  ///< 1 - time of best / time of the incumbent
  /// How much less time than the best another remaining candidate may take, at 99 % confidence each.
  double margin = 0;
  /// Whether the fastest is certainly faster than the incumbent, by at least 6 samples of each, or is
  /// the incumbent.
  bool separated = false;
  bool complete = false;  ///< whether more rounds could not change the answer, or none are allowed
  int rounds = 0;         ///< rounds run by this call
};

/// The callbacks of a race.
struct Race {
  /// Returns one time sample of a candidate, in any unit. Called in turn for the remaining
  /// candidates.
  std::function<double(int candidate)> time = {};
  /// Returns a monotonic time in seconds, for the budget.
  std::function<double()> now = {};
  /// Called after each round, for saving progress; may be empty.
  std::function<void()> after_round = {};
  /// Called after each round: candidates that may still win, and the most seconds left; may be empty.
  std::function<void(int running, double seconds_left)> progress = {};
};

/// Runs a race. `samples[i]` holds the samples of candidate i and is extended; existing samples
/// count, so a race can be resumed. The incumbent never drops out. Requires at least one candidate.
RaceResult run_race(std::vector<std::vector<double>>& samples, int incumbent, const Race& race,
                    const RaceOptions& options = {});

}  // namespace eflow::jit

EFLOW_EXPORT_END
