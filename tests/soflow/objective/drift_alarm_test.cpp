// The alarm ignores single outliers and reports a window whose mean exceeds the limit.
#define BOOST_TEST_MODULE drift_alarm
#include "eflow/soflow/objective/drift_alarm.hpp"

#include <boost/test/unit_test.hpp>
#include <limits>

using eflow::soflow::DriftAlarm;

BOOST_AUTO_TEST_CASE(single_outliers_do_not_trigger) {
  DriftAlarm alarm;
  for (int i = 0; i < 1000; ++i) BOOST_TEST(!alarm.add(i % 10 == 0 ? 9 : 1));
}

BOOST_AUTO_TEST_CASE(a_window_above_the_limit_triggers_once_at_its_end) {
  DriftAlarm alarm;
  for (int i = 1; i < DriftAlarm::kWindow; ++i) BOOST_TEST(!alarm.add(3));
  const auto mean = alarm.add(3);
  BOOST_REQUIRE(mean.has_value());
  BOOST_TEST(*mean == 3);
  BOOST_TEST(!alarm.add(3));
}

BOOST_AUTO_TEST_CASE(steps_without_scm_samples_do_not_count) {
  DriftAlarm alarm;
  for (int i = 0; i < 5 * DriftAlarm::kWindow; ++i)
    BOOST_TEST(!alarm.add(std::numeric_limits<double>::quiet_NaN()));
  for (int i = 1; i < DriftAlarm::kWindow; ++i) BOOST_TEST(!alarm.add(4));
  BOOST_TEST(alarm.add(4).has_value());
}
