// The ladder: each rung adds one technique, and a small ladder can be measured.
#define BOOST_TEST_MODULE ladder
#include "eflow/trainer/bench/ladder.hpp"

#include <boost/test/unit_test.hpp>

#include "eflow/trainer/options/option_text.hpp"

using namespace eflow::trainer;

BOOST_AUTO_TEST_CASE(rungs_add_one_thing_each) {
  auto rungs = ladder_configs({});
  BOOST_REQUIRE(rungs.size() == 6u);
  BOOST_TEST(rungs[0].config.objective.fm_share == 1);
  for (std::size_t i = 1; i < rungs.size(); ++i) {
    BOOST_TEST(problems_of(rungs[i].config).empty());
    const auto changed = differences(options_of(rungs[i - 1].config), options_of(rungs[i].config));
    BOOST_TEST(!changed.empty());
    BOOST_TEST(changed.size() <= 4u);
  }
  BOOST_TEST((rungs[5].config.drop.kind == eflow::soflow::DropKind::kGroups3d));
}

BOOST_AUTO_TEST_CASE(a_small_ladder_is_measured) {
  const Ladder ladder = measure_ladder(
      {.encoder = 1, .middle = 2, .decoder = 1, .frames = 2, .side = 4, .rounds = 1, .calls = 1});
  BOOST_TEST(ladder.tokens == 32);
  for (const Rung& rung : ladder.rungs) BOOST_TEST(rung.step_s > 0);
  BOOST_TEST(ladder.rungs[0].passes == 3);
  BOOST_TEST(ladder.rungs[1].passes == 4.5);
  BOOST_TEST(ladder.rungs[5].gflop < 0.7 * ladder.rungs[4].gflop);
  BOOST_TEST(ladder.latency_gain() > 0);
}
