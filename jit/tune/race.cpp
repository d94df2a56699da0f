#include "eflow/jit/tune/race.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace eflow::jit {
namespace {

using Samples = std::vector<std::vector<double>>;

/// Fewer samples separate nothing.
constexpr std::size_t kLeastSamples = 6;
/// Of 99 % of a normal distribution, in standard deviations: many ratios are looked at many times.
constexpr double kSure = 2.58;
/// Samples after which many candidates are halved.
constexpr std::size_t kRungs[] = {2, 4, 8};
/// A halved candidate is slower than the leader by more than this share.
constexpr double kNearLeader = 0.1;

/// A candidate outside of the start leaves when its first samples, of which one may be an outlier, are all
/// slower than the leader by more than this share.
constexpr double kFarFromStart = 0.5;
constexpr std::size_t kFarSamples = 2;

/// Other load only ever adds time, so the least of a few samples says more than their median.
double least_of_first(const std::vector<double>& samples, std::size_t count) {
  return *std::min_element(samples.begin(), samples.begin() + static_cast<std::ptrdiff_t>(count));
}

bool is_in_start(int i, int incumbent, const RaceOptions& o) {
  return i == incumbent || std::find(o.start.begin(), o.start.end(), i) != o.start.end();
}

/// The ratio of two candidates' times, from the samples of the rounds in which both were timed. What
/// slows the machine for a while is in both samples of a round and cancels.
MedianInterval ratio_of(const Samples& samples, int i, int j, int incumbent, const RaceOptions& o) {
  const std::vector<double>&a = samples[static_cast<std::size_t>(i)],
        &b = samples[static_cast<std::size_t>(j)];
  // The start was timed before the others.
  const bool i_began = !o.start.empty() && is_in_start(i, incumbent, o),
             j_began = !o.start.empty() && is_in_start(j, incumbent, o);
  const auto before = static_cast<std::size_t>(o.min_rounds);
  const std::size_t skip_a = i_began && !j_began && a.size() > before ? before : 0,
                    skip_b = j_began && !i_began && b.size() > before ? before : 0;
  std::vector<double> ratios(std::min(a.size() - skip_a, b.size() - skip_b));
  for (std::size_t k = 0; k < ratios.size(); ++k) ratios[k] = a[skip_a + k] / b[skip_b + k];
  return median_interval(std::move(ratios), kSure);
}

/// Removes candidates that are far slower than those that the race began with.
void drop_far(std::vector<bool>& in, const Samples& samples, int incumbent, const RaceOptions& o) {
  if (o.start.empty()) return;
  const auto first = static_cast<std::size_t>(o.min_rounds);
  double leader = 0;
  for (std::size_t i = 0; i < samples.size(); ++i) {
    if (samples[i].empty() || !is_in_start(static_cast<int>(i), incumbent, o)) continue;
    const double least = least_of_first(samples[i], std::min(first, samples[i].size()));
    if (leader == 0 || least < leader) leader = least;
  }
  for (std::size_t i = 0; i < samples.size(); ++i) {
    if (samples[i].size() < kFarSamples || is_in_start(static_cast<int>(i), incumbent, o)) continue;
    in[i] = least_of_first(samples[i], kFarSamples) <= leader * (1 + kFarFromStart);
  }
}

/// Whether each candidate survived all halvings. It depends on the samples alone, so a race that is
/// resumed continues with the same candidates.
std::vector<bool> unhalved(const Samples& samples, int incumbent, const RaceOptions& o) {
  std::vector<bool> in(samples.size(), true);
  drop_far(in, samples, incumbent, o);
  for (const std::size_t rung : kRungs) {
    std::vector<double> least;
    for (std::size_t i = 0; i < samples.size(); ++i) {
      if (!in[i]) continue;
      if (samples[i].size() < rung) return in;  // the round is not complete
      least.push_back(least_of_first(samples[i], rung));
    }
    if (static_cast<int>(least.size()) <= o.most_unhalved) return in;
    std::sort(least.begin(), least.end());
    const double limit = std::max(least[least.size() / 2], least.front() * (1 + kNearLeader));
    for (std::size_t i = 0; i < samples.size(); ++i) {
      if (in[i] && static_cast<int>(i) != incumbent)
        in[i] = least_of_first(samples[i], rung) <= limit;
    }
  }
  return in;
}

/// The fastest of the candidates, relative to the incumbent, which runs in every round; if possible
/// one that has `enough` samples.
int leader_of(const Samples& samples, const std::vector<bool>& in, int incumbent,
              const RaceOptions& o) {
  int best = incumbent;
  bool first = true;
  std::pair<bool, double> least;
  for (int i = 0; i < static_cast<int>(samples.size()); ++i) {
    if (!in[static_cast<std::size_t>(i)]) continue;
    const bool few = static_cast<int>(samples[static_cast<std::size_t>(i)].size()) < o.min_rounds;
    const std::pair<bool, double> here{few, ratio_of(samples, i, incumbent, incumbent, o).median};
    if (first || here < least) best = i, least = here;
    first = false;
  }
  return best;
}

/// The candidates that may still win: those whose ratio to the leader's time may be 1, within `equal`.
std::vector<int> still_in(const Samples& samples, int incumbent, const RaceOptions& o) {
  const std::vector<bool> in = unhalved(samples, incumbent, o);
  const int leader = leader_of(samples, in, incumbent, o);
  const auto few = [&](int i) {
    return static_cast<int>(samples[static_cast<std::size_t>(i)].size()) < o.min_rounds;
  };
  std::vector<int> out;
  for (int i = 0; i < static_cast<int>(samples.size()); ++i) {
    if (!in[static_cast<std::size_t>(i)]) continue;
    if (few(i) || few(leader) || i == incumbent ||
        ratio_of(samples, i, leader, incumbent, o).low <= 1 + o.equal)
      out.push_back(i);
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

/// The first candidate that takes as long as the leader, within `equal`.
int fastest_of(const Samples& samples, const std::vector<int>& running, int incumbent,
               const RaceOptions& o) {
  std::vector<bool> in(samples.size(), false);
  for (const int i : running) in[static_cast<std::size_t>(i)] = true;
  const int leader = leader_of(samples, in, incumbent, o);
  for (const int i : running) {
    if (ratio_of(samples, i, leader, incumbent, o).median <= 1 + o.equal) return i;
  }
  return leader;
}

RaceResult judge(const Samples& samples, int incumbent, const RaceOptions& o) {
  const std::vector<int> running = still_in(samples, incumbent, o);
  RaceResult out;
  out.fastest = fastest_of(samples, running, incumbent, o);
  const MedianInterval ratio = ratio_of(samples, out.fastest, incumbent, incumbent, o);
  const bool enough =
      std::min(samples[static_cast<std::size_t>(out.fastest)].size(),
               samples[static_cast<std::size_t>(incumbent)].size()) >= kLeastSamples;
  const bool faster = enough && ratio.high < 1;
  out.separated = out.fastest == incumbent || faster;
  const bool better = faster && ratio.median < 1 - o.hysteresis;
  out.best = better ? out.fastest : incumbent;
  out.gain = better ? 1 - ratio.median : 0;
  for (const int i : running)
    out.margin = std::max(out.margin, 1 - ratio_of(samples, i, out.best, incumbent, o).low);
  return out;
}

std::size_t fewest(const Samples& samples) {
  std::size_t least = samples[0].size();
  for (const std::vector<double>& s : samples) least = std::min(least, s.size());
  return least;
}

/// Whether more rounds cannot change the answer: incumbent and fastest are separated, and no other
/// candidate remains, or none that may be faster by more than `close`.
bool decided(const Samples& samples, int incumbent, const RaceOptions& o) {
  const std::vector<int> running = still_in(samples, incumbent, o);
  const auto least = static_cast<std::size_t>(std::min(o.min_rounds, o.max_rounds));
  for (const int i : running) {
    if (samples[static_cast<std::size_t>(i)].size() < least) return false;
  }
  const RaceResult now = judge(samples, incumbent, o);
  if (now.margin <= o.close) return true;
  return now.separated && std::all_of(running.begin(), running.end(),
                                      [&](int i) { return i == incumbent || i == now.fastest; });
}

}  // namespace

MedianInterval median_interval(std::vector<double> samples, double deviations) {
  std::sort(samples.begin(), samples.end());
  const auto n = static_cast<double>(samples.size());
  // Ranks of a binomial with p = 1/2: n/2 -+ deviations sqrt(n)/2, rounded outwards.
  const double below = std::floor(n / 2 - deviations / 2 * std::sqrt(n)) - 1;
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
