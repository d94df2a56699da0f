// LossSentinel: divergences are noticed within a few steps, noise and single spikes are not taken for
// them, and a resumed run judges as an uninterrupted one.
#define BOOST_TEST_MODULE loss_sentinel
#include "eflow/trainer/guard/loss_sentinel.hpp"

#include <boost/test/unit_test.hpp>
#include <limits>
#include <random>
#include <vector>

using namespace eflow::trainer;

namespace {

constexpr double kNone = std::numeric_limits<double>::quiet_NaN();

/// Losses around 1 with a standard deviation of 0.05, or `shift` deviations above.
class Series {
 public:
  StepMetrics next(double shift = 0, double error = 0.5) {
    StepMetrics m;
    m.step = ++step_;
    m.loss = 1 + 0.05 * (noise_(random_) + shift);
    m.fm_mse = error;
    m.loss_mva = kNone;
    return m;
  }

 private:
  std::mt19937_64 random_{7};
  std::normal_distribution<double> noise_;
  std::int64_t step_ = 0;
};

void train(LossSentinel* sentinel, Series* series, int steps) {
  for (int i = 0; i < steps; ++i) BOOST_REQUIRE(!sentinel->add(series->next()));
}

}  // namespace

BOOST_AUTO_TEST_CASE(noise_alone_is_no_alarm) {
  Series series;
  LossSentinel sentinel(2);
  train(&sentinel, &series, 100'000);
}

BOOST_AUTO_TEST_CASE(one_spike_is_reported_once_and_is_no_divergence) {
  Series series;
  LossSentinel sentinel(2);
  train(&sentinel, &series, 300);
  const auto alarm = sentinel.add(series.next(20));
  BOOST_REQUIRE(alarm.has_value());
  BOOST_TEST(!alarm->diverged);
  BOOST_TEST(alarm->text.starts_with("step 301: the loss "));
  train(&sentinel, &series, 20);
  BOOST_TEST(!sentinel.add(series.next(20)).has_value());  // within the same window
  train(&sentinel, &series, 200);
  BOOST_TEST(sentinel.add(series.next(20)).has_value());
}

BOOST_AUTO_TEST_CASE(a_loss_that_stays_above_is_a_divergence) {
  Series series;
  LossSentinel sentinel(2);
  train(&sentinel, &series, 200);
  for (int i = 1; i < LossSentinel::kPatience; ++i) {
    const auto alarm = sentinel.add(series.next(15));
    BOOST_TEST((!alarm || !alarm->diverged));
  }
  const auto alarm = sentinel.add(series.next(15));
  BOOST_REQUIRE(alarm.has_value());
  BOOST_TEST(alarm->diverged);
  // It then learns the new level.
  for (int i = 0; i < 300; ++i) BOOST_REQUIRE(!sentinel.add(series.next(15)));
}

BOOST_AUTO_TEST_CASE(losses_that_rise_slowly_pass_the_start_of_flow_matching) {
  Series series;
  LossSentinel sentinel(2);
  for (int i = 0; i < 100; ++i) BOOST_REQUIRE(!sentinel.add(series.next(0, 2.5)));  // not below yet
  train(&sentinel, &series, 100);
  int steps = 0;
  std::optional<LossAlarm> alarm;
  for (double error = 0.5; !alarm && steps < 1000; error += 0.01, ++steps)
    alarm = sentinel.add(series.next(0, error));
  BOOST_REQUIRE(alarm.has_value());
  BOOST_TEST(alarm->diverged);
  BOOST_TEST(alarm->text.find("above 2, the error of a network that predicts no velocity") !=
             std::string::npos);
  BOOST_TEST((steps > 150 && steps < 200));  // the mean of 32 errors passes 2
}

BOOST_AUTO_TEST_CASE(losses_that_are_not_finite_are_another_policys) {
  Series series;
  LossSentinel sentinel(2);
  train(&sentinel, &series, 200);
  StepMetrics bad = series.next();
  bad.loss = bad.fm_mse = kNone;
  for (int i = 0; i < 20; ++i) BOOST_TEST(!sentinel.add(bad).has_value());
  BOOST_TEST(sentinel.add(series.next(20)).has_value());
}

/// The first step that trains additivity begins another loss.
BOOST_AUTO_TEST_CASE(a_loss_that_is_added_is_no_divergence) {
  Series series;
  LossSentinel sentinel(2);
  train(&sentinel, &series, 200);
  for (int i = 0; i < 300; ++i) {
    StepMetrics m = series.next(40);
    m.loss_mva = 1;
    BOOST_REQUIRE(!sentinel.add(m).has_value());
  }
}

BOOST_AUTO_TEST_CASE(a_resumed_run_judges_as_an_uninterrupted_one) {
  Series series;
  LossSentinel whole(2);
  std::string lines = "not metrics\n[]\n";
  std::vector<StepMetrics> rest;
  for (int i = 0; i < 400; ++i) {
    const StepMetrics m = series.next(i == 390 ? 20 : 0);
    static_cast<void>(whole.add(m));
    lines += to_json_line(m) + "\n";
  }
  LossSentinel resumed(2);
  resumed.catch_up(lines);
  for (int i = 0; i < 100; ++i) {
    const StepMetrics m = series.next(i % 9 == 0 || i > 80 ? 8 : 0, i < 50 ? 0.5 : 3);
    const auto a = whole.add(m), b = resumed.add(m);
    BOOST_REQUIRE(a.has_value() == b.has_value());
    if (a) BOOST_TEST(a->text == b->text);
  }
}
