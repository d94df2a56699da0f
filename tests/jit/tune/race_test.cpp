// The decisions of a race on synthetic times: winner, incumbent, early exits, robustness to noise.
#define BOOST_TEST_MODULE race
#include "eflow/jit/tune/race.hpp"

#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <random>

using namespace eflow::jit;

namespace {

/// Candidates with known medians and heavy-tailed noise, as on a busy machine.
struct FakeClock {
  std::vector<double> medians;
  double noise = 0.05;
  std::vector<int> calls = std::vector<int>(medians.size());
  double elapsed = 0;
  std::mt19937 random{11};

  double time(int i) {
    const auto c = static_cast<std::size_t>(i);
    ++calls[c];
    std::uniform_real_distribution<double> u(0, 1);
    double t = medians[c] * (1 + noise * u(random));
    if (u(random) < 0.1) t *= 1 + 3 * u(random);
    elapsed += t;
    return t;
  }

  RaceResult race(int incumbent, const RaceOptions& options = {}) {
    std::vector<std::vector<double>> samples(medians.size());
    return race(samples, incumbent, options);
  }
  RaceResult race(std::vector<std::vector<double>>& samples, int incumbent,
                  const RaceOptions& options = {}) {
    return run_race(samples, incumbent,
                    {.time = [this](int i) { return time(i); },
                     .now = [this] { return elapsed; },
                     .after_round = {}},
                    options);
  }
};

const RaceOptions kPatient{.budget_seconds = 1e9};

}  // namespace

BOOST_AUTO_TEST_CASE(intervals_hold_the_median) {
  const MedianInterval five = median_interval({3, 1, 2, 5, 4});
  BOOST_TEST(five.low == 1);
  BOOST_TEST(five.median == 3);
  BOOST_TEST(five.high == 5);
  BOOST_TEST(median_interval({7}).low == 7);
  BOOST_TEST(median_interval({1, 2}).median == 1.5);
  // Coverage: at least 95 % of the intervals of 21 samples contain the true median.
  std::mt19937 random(3);
  std::exponential_distribution<double> drawn(1);
  int held = 0;
  for (int trial = 0; trial < 2000; ++trial) {
    std::vector<double> samples(21);
    for (double& s : samples) s = drawn(random);
    const MedianInterval i = median_interval(samples);
    held += i.low <= std::log(2.0) && std::log(2.0) <= i.high;
  }
  BOOST_TEST(held >= 1900);
  // One outlier moves neither end.
  std::vector<double> calm(20, 1.0);
  calm.push_back(1e9);
  BOOST_TEST(median_interval(calm).high == 1.0);
}

BOOST_AUTO_TEST_CASE(the_fastest_wins_and_the_slow_leave_early) {
  FakeClock clock{{1.0, 2.0, 0.8, 1.5}};
  const RaceResult r = clock.race(0, kPatient);
  BOOST_TEST(r.best == 2);
  BOOST_TEST(r.separated);
  BOOST_TEST(r.gain > 0.15);
  BOOST_TEST(r.gain < 0.25);
  BOOST_TEST(clock.calls[1] <= 15);
  BOOST_TEST(r.rounds < 60);
}

BOOST_AUTO_TEST_CASE(the_incumbent_stays_unless_surely_beaten_by_enough) {
  // significant, but too small
  BOOST_TEST((FakeClock{{1.0, 0.98}, 0.001}.race(0, kPatient).best) == 0);
  BOOST_TEST((FakeClock{{1.0, 0.90}, 0.001}.race(0, kPatient).best) == 1);
  // large, but not significant
  const RaceOptions few{.max_rounds = 20, .budget_seconds = 1e9};
  BOOST_TEST((FakeClock{{1.0, 0.96}, 0.8}.race(0, few).best) == 0);
  FakeClock other{{1.0, 0.98}, 0.001};
  BOOST_TEST(other.race(1, kPatient).best == 1);  // also stays as the incumbent of an earlier run
}

BOOST_AUTO_TEST_CASE(equals_are_settled_by_their_order) {
  FakeClock clock{{1.0, 0.700, 0.698, 0.702}, 0.002};
  BOOST_TEST(clock.race(0, kPatient).best == 1);
}

BOOST_AUTO_TEST_CASE(two_runs_agree) {
  for (unsigned seed = 0; seed < 20; ++seed) {
    FakeClock clock{{1.0, 0.80, 0.97, 0.99, 1.02, 1.3}, 0.2};
    clock.random.seed(seed);
    BOOST_TEST(clock.race(0, kPatient).best == 1, "seed " << seed);
  }
}

/// A space of 252 configurations, as of a matrix product: a few good ones, many bad ones.
std::vector<double> large_space() {
  std::vector<double> medians;
  for (int i = 0; i < 252; ++i)
    medians.push_back(1 + 0.02 * (i * 37 % 63) + (i % 5 == 0 ? 0.5 : 0));
  medians[0] = 1.6;  // the default
  return medians;
}

BOOST_AUTO_TEST_CASE(a_large_space_is_halved) {
  std::vector<double> winners;
  for (unsigned seed = 1; seed <= 9; ++seed) {
    FakeClock clock{large_space()};
    clock.random.seed(seed);
    const RaceResult r = clock.race(0, kPatient);
    BOOST_TEST(r.complete);
    BOOST_TEST(r.separated);
    winners.push_back(clock.medians[static_cast<std::size_t>(r.best)]);
    int calls = 0;
    for (const int c : clock.calls) calls += c;
    BOOST_TEST(calls < 252 * 8);  // without halving at least 252 * 7, and most of them much longer
  }
  const auto [least, most] = std::minmax_element(winners.begin(), winners.end());
  BOOST_TEST(*most <= *least * 1.02);
  BOOST_TEST(*least == 1);
}

BOOST_AUTO_TEST_CASE(a_race_may_begin_with_likely_winners) {
  // 100 candidates from 1.0 up; the likely ones are good, and the fastest is not among them.
  FakeClock s{.medians = {}};
  for (int i = 0; i < 100; ++i) s.medians.push_back(1.0 + 0.02 * ((i * 37 + 50) % 100));
  s.calls.assign(100, 0);
  const auto fastest =
      static_cast<int>(std::min_element(s.medians.begin(), s.medians.end()) - s.medians.begin());
  RaceOptions options = kPatient;
  for (int i = 0; i < 100; ++i) {
    const double median = s.medians[static_cast<std::size_t>(i)];
    if (median > 1.1 && median < 1.2) options.start.push_back(i);
  }
  BOOST_REQUIRE(options.start.size() == 4u);
  const RaceResult with = s.race(0, options);
  BOOST_TEST(with.complete);
  BOOST_TEST(with.best == fastest);
  int twice = 0;
  for (std::size_t i = 0; i < 100; ++i) {
    BOOST_TEST(s.calls[i] >= 2);  // nothing is excluded by what was measured elsewhere
    twice += s.calls[i] == 2;
  }
  BOOST_TEST(twice >= 50);

  // A start that is all wrong costs time, not the answer.
  FakeClock t{.medians = s.medians};
  t.calls.assign(100, 0);
  options.start = {1, 3};
  for (const int i : options.start) t.medians[static_cast<std::size_t>(i)] = 9;
  BOOST_TEST(t.race(0, options).best == fastest);
}

BOOST_AUTO_TEST_CASE(a_halved_race_goes_on_with_the_same_candidates) {
  FakeClock clock{large_space()};
  std::vector<std::vector<double>> samples(252);
  for (int run = 0; run < 20; ++run)
    (void)clock.race(samples, 0, {.max_rounds = 1, .budget_seconds = 1e9});
  int long_ones = 0;
  for (const auto& s : samples) long_ones += s.size() > 8;
  BOOST_TEST(long_ones < 64);
  BOOST_TEST(long_ones > 0);
}

BOOST_AUTO_TEST_CASE(few_samples_separate_nothing) {
  FakeClock clock{{1.0, 0.5}, 0.001};
  const RaceResult five = clock.race(0, {.max_rounds = 5, .budget_seconds = 1e9});
  BOOST_TEST(five.fastest == 1);
  BOOST_TEST(!five.separated);
  BOOST_TEST(five.best == 0);
  BOOST_TEST(five.gain == 0);
}

BOOST_AUTO_TEST_CASE(a_race_that_was_cut_says_so) {
  FakeClock slow{{100.0, 50.0}};
  BOOST_TEST(!slow.race(0, {.budget_seconds = 1}).complete);
  BOOST_TEST(slow.race(0, kPatient).complete);
  // The budget grows with the number of candidates.
  FakeClock many{std::vector<double>(400, 0.05)};
  const RaceResult r = many.race(0);
  BOOST_TEST(many.elapsed > 100);
  BOOST_TEST(many.elapsed < 180);
  BOOST_TEST(!r.complete);
}

BOOST_AUTO_TEST_CASE(budget_and_rounds_end_a_race) {
  FakeClock equals{{1.0, 1.0}, 0.5};
  BOOST_TEST(equals.race(0, {.max_rounds = 12, .budget_seconds = 1e9}).rounds == 12);
  FakeClock slow{{100.0, 50.0}};
  const RaceResult r = slow.race(0, {.budget_seconds = 1});
  BOOST_TEST(r.rounds == 1);
  BOOST_TEST(slow.calls[0] == 1);
  BOOST_TEST(slow.calls[1] == 1);
  FakeClock alone{{1.0}};
  BOOST_TEST(alone.race(0, kPatient).best == 0);
}

BOOST_AUTO_TEST_CASE(a_race_goes_on_from_earlier_samples) {
  FakeClock clock{{1.0, 0.5, 3.0}};
  std::vector<std::vector<double>> samples(3);
  (void)clock.race(samples, 0, {.max_rounds = 5, .budget_seconds = 1e9});
  const std::size_t before = samples[0].size();
  BOOST_TEST(before == 5u);
  const RaceResult r = clock.race(samples, 0, kPatient);
  BOOST_TEST(r.best == 1);
  BOOST_TEST(samples[0].size() < before + 20);
  const std::vector<int> calls = clock.calls;
  BOOST_TEST(clock.race(samples, 0, kPatient).rounds == 0);  // already decided
  BOOST_TEST(clock.calls == calls, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(what_slows_the_machine_for_a_while_slows_all) {
  // The machine is three times slower for a while: a candidate timed alone during that interval
  // would lose.
  for (const double begin : {0.0, 4.0, 9.0}) {
    FakeClock clock{{1.0, 0.8, 0.9}, 0.02};
    std::vector<std::vector<double>> samples(3);
    const RaceResult r = run_race(samples, 0,
                                  {.time =
                                       [&](int i) {
                                         const bool busy =
                                             clock.elapsed >= begin && clock.elapsed < begin + 20;
                                         const double t = clock.time(i) * (busy ? 3 : 1);
                                         clock.elapsed += busy ? t * 2 / 3 : 0;
                                         return t;
                                       },
                                   .now = [&] { return clock.elapsed; },
                                   .after_round = {}},
                                  kPatient);
    BOOST_TEST(r.best == 1, "busy from " << begin);
  }
}
