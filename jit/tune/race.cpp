#include "eflow/jit/tune/race.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace eflow::jit {
namespace {

using Samples = std::vector<std::vector<double>>;

/// Fewer samples have no interval of 95 %.
constexpr std::size_t kLeastSamples = 6;
/// Samples after which many candidates are halved.
constexpr std::size_t kRungs[] = {2, 4, 8};
/// A halved candidate is slower than the leader by more than this share.
constexpr double kNearLeader = 0.1;

/// A candidate outside of the start leaves when its first samples, of which one may be an outlier, are all
/// slower than the leader by more than this share.
constexpr double kFarFromStart = 0.5;
constexpr std::size_t kFarSamples = 2;

double median_of_first(const std::vector<double>& samples, std::size_t count) {
  return median_interval({samples.begin(), samples.begin() + static_cast<std::ptrdiff_t>(count)})
      .median;
}

bool is_in_start(int i, int incumbent, const RaceOptions& o) {
  return i == incumbent || std::find(o.start.begin(), o.start.end(), i) != o.start.end();
}

/// Removes candidates that are far slower than those that the race began with.
void drop_far(std::vector<bool>& in, const Samples& samples, int incumbent, const RaceOptions& o) {
  if (o.start.empty()) return;
  const auto first = static_cast<std::size_t>(o.min_rounds);
  double leader = 0;
  for (std::size_t i = 0; i < samples.size(); ++i) {
    if (samples[i].empty() || !is_in_start(static_cast<int>(i), incumbent, o)) continue;
    const double median = median_of_first(samples[i], std::min(first, samples[i].size()));
    if (leader == 0 || median < leader) leader = median;
  }
  for (std::size_t i = 0; i < samples.size(); ++i) {
    if (samples[i].size() < kFarSamples || is_in_start(static_cast<int>(i), incumbent, o)) continue;
    const auto begin = samples[i].begin();
    in[i] = *std::min_element(begin, begin + kFarSamples) <= leader * (1 + kFarFromStart);
  }
}

/// Whether each candidate survived all halvings. It depends on the samples alone, so a race that is
/// resumed continues with the same candidates.
std::vector<bool> unhalved(const Samples& samples, int incumbent, const RaceOptions& o) {
  std::vector<bool> in(samples.size(), true);
  drop_far(in, samples, incumbent, o);
  for (const std::size_t rung : kRungs) {
    std::vector<double> medians;
    for (std::size_t i = 0; i < samples.size(); ++i) {
      if (!in[i]) continue;
      if (samples[i].size() < rung) return in;  // the round is not complete
      medians.push_back(median_of_first(samples[i], rung));
    }
    if (static_cast<int>(medians.size()) <= o.most_unhalved) return in;
    std::sort(medians.begin(), medians.end());
    const double limit = std::max(medians[medians.size() / 2], medians.front() * (1 + kNearLeader));
    for (std::size_t i = 0; i < samples.size(); ++i) {
      if (in[i] && static_cast<int>(i) != incumbent)
        in[i] = median_of_first(samples[i], rung) <= limit;
    }
  }
  return in;
}

/// The first candidate whose median is the least of all in the race, within `equal`.
int fastest_of(const std::vector<MedianInterval>& at, const std::vector<bool>& in, double equal) {
  double least = 0;
  for (std::size_t i = 0; i < at.size(); ++i) {
    if (in[i] && (least == 0 || at[i].median < least)) least = at[i].median;
  }
  for (std::size_t i = 0; i < at.size(); ++i) {
    if (in[i] && at[i].median <= least * (1 + equal)) return static_cast<int>(i);
  }
  return 0;
}

std::vector<MedianInterval> intervals(const Samples& samples) {
  std::vector<MedianInterval> out;
  for (const std::vector<double>& s : samples) out.push_back(median_interval(s));
  return out;
}

/// The candidates that may still win: those whose interval reaches down to the least upper end of
/// all, within `equal`.
std::vector<int> still_in(const Samples& samples, int incumbent, const RaceOptions& o) {
  const std::vector<MedianInterval> at = intervals(samples);
  const std::vector<bool> in = unhalved(samples, incumbent, o);
  double reach = at[0].high;
  for (std::size_t i = 0; i < at.size(); ++i) {
    if (static_cast<int>(samples[i].size()) >= o.min_rounds) reach = std::min(reach, at[i].high);
  }
  std::vector<int> out;
  for (std::size_t i = 0; i < at.size(); ++i) {
    if (!in[i]) continue;
    const bool few = static_cast<int>(samples[i].size()) < o.min_rounds;
    if (few || at[i].low <= reach * (1 + o.equal) || static_cast<int>(i) == incumbent)
      out.push_back(static_cast<int>(i));
  }
  return out;
}

/// Takes one more sample of each. The order rotates and alternates, so that no candidate always
/// runs first or always after the same one.
void one_round(Samples& samples, std::vector<int> order, int round, const Race& race) {
  std::rotate(order.begin(), order.begin() + round % static_cast<int>(order.size()), order.end());
  if (round % 2 == 1) std::reverse(order.begin(), order.end());
  for (const int i : order) samples[static_cast<std::size_t>(i)].push_back(race.time(i));
}

/// Times the start and the incumbent until each has the samples that it may drop out with.
void time_start(Samples& samples, int incumbent, const Race& race, const RaceOptions& o) {
  for (int round = 0; round < o.min_rounds; ++round) {
    std::vector<int> order;
    for (int i = 0; i < static_cast<int>(samples.size()); ++i) {
      const bool wants = static_cast<int>(samples[static_cast<std::size_t>(i)].size()) <= round;
      if (wants && is_in_start(i, incumbent, o)) order.push_back(i);
    }
    if (order.empty()) continue;
    one_round(samples, order, round, race);
    if (race.after_round) race.after_round();
  }
}

RaceResult judge(const Samples& samples, int incumbent, const RaceOptions& o) {
  const std::vector<MedianInterval> at = intervals(samples);
  RaceResult out;
  out.fastest = fastest_of(at, unhalved(samples, incumbent, o), o.equal);
  const MedianInterval& was = at[static_cast<std::size_t>(incumbent)];
  const MedianInterval& now = at[static_cast<std::size_t>(out.fastest)];
  const auto enough = [&](int i) {
    return samples[static_cast<std::size_t>(i)].size() >= kLeastSamples;
  };
  const bool disjoint = enough(incumbent) && enough(out.fastest) && now.high < was.low;
  out.separated = out.fastest == incumbent || disjoint;
  const bool better = disjoint && now.median < was.median * (1 - o.hysteresis);
  out.best = better ? out.fastest : incumbent;
  out.gain = better ? 1 - now.median / was.median : 0;
  return out;
}

std::size_t fewest(const Samples& samples) {
  std::size_t least = samples[0].size();
  for (const std::vector<double>& s : samples) least = std::min(least, s.size());
  return least;
}

/// Whether more rounds cannot change the answer: incumbent and fastest are separated, and no other
/// candidate remains.
bool decided(const Samples& samples, int incumbent, const RaceOptions& o) {
  const std::vector<int> running = still_in(samples, incumbent, o);
  const auto least = static_cast<std::size_t>(std::min(o.min_rounds, o.max_rounds));
  for (const int i : running) {
    if (samples[static_cast<std::size_t>(i)].size() < least) return false;
  }
  const RaceResult now = judge(samples, incumbent, o);
  return now.separated && std::all_of(running.begin(), running.end(),
                                      [&](int i) { return i == incumbent || i == now.fastest; });
}

}  // namespace

MedianInterval median_interval(std::vector<double> samples) {
  std::sort(samples.begin(), samples.end());
  const auto n = static_cast<double>(samples.size());
  // Ranks of a binomial with p = 1/2: n/2 -+ 1.96 sqrt(n)/2, rounded outwards.
  const double below = std::floor(n / 2 - 0.98 * std::sqrt(n)) - 1;
  const std::size_t low = below > 0 ? static_cast<std::size_t>(below) : 0;
  const std::size_t last = samples.size() - 1;
  const double median = (samples[last / 2] + samples[samples.size() / 2]) / 2;
  return {samples[low], median, samples[last - low]};
}

RaceResult run_race(Samples& samples, int incumbent, const Race& race, const RaceOptions& options) {
  const double begin = race.now();
  const double budget = options.budget_seconds > 0
                            ? options.budget_seconds
                            : 20 + 0.25 * static_cast<double>(samples.size());
  std::vector<int> all(samples.size());
  std::iota(all.begin(), all.end(), 0);
  if (!options.start.empty()) time_start(samples, incumbent, race, options);
  bool timed = fewest(samples) > 0;
  int round = 0;
  for (; round < options.max_rounds; ++round) {
    if (timed && decided(samples, incumbent, options)) break;
    if (timed && race.now() - begin >= budget) break;
    one_round(samples, timed ? still_in(samples, incumbent, options) : all, round, race);
    timed = true;
    if (race.after_round) race.after_round();
    if (race.progress)
      race.progress(static_cast<int>(still_in(samples, incumbent, options).size()),
                    std::max(0.0, budget - (race.now() - begin)));
  }
  RaceResult out = judge(samples, incumbent, options);
  out.rounds = round;
  out.complete = round == options.max_rounds || decided(samples, incumbent, options);
  return out;
}

}  // namespace eflow::jit
