// Stages are one run: what differs between them, what they share, and what a section may override.
#define BOOST_TEST_MODULE stages
#include "eflow/trainer/run/stages.hpp"

#include <boost/test/unit_test.hpp>
#include <cmath>
#include <set>

#include "eflow/core/base/error.hpp"
#include "eflow/trainer/config/model_config.hpp"
#include "eflow/trainer/setup/objective_config.hpp"

using namespace eflow;
using namespace eflow::trainer;

namespace {

/// Parses a file and a command line as `eflow train` does.
struct Parsed {
  explicit Parsed(const std::string& file, const std::vector<std::string>& arguments = {}) {
    std::vector<Option> options = {{"data", &config.data.dir, "Same as --data.dir."}};
    for (Option& option : options_of(config)) options.push_back(std::move(option));
    OptionParser parser(std::move(options));
    parser.parse_text(file, "my.ini");
    parser.parse_arguments(arguments);
    stages = stages_of(config, &parser, "run");
    try {
      parser.finish();
    } catch (const InvalidArgument& error) {
      problem = error.what();
    }
  }
  [[nodiscard]] const Config& stage(std::size_t n) const { return stages.at(n - 1).config; }
  /// r at the step of stage n that follows `step` finished ones.
  [[nodiscard]] double r(std::size_t n, std::int64_t step) const {
    const auto network = dit_config(stage(n), {3, 4, 16, 16, 0, 0});
    return objective_options(stage(n), network).ratio.at(step);
  }

  Config config;
  std::vector<Stage> stages;
  std::string problem;
};

const std::string kThree =
    "[train]\nseed = 7\n[objective]\nr_init = 0.1\nr_end = 0.001\n"
    "[stage1]\ntrain.iterations = 100\n[stage2]\ntrain.iterations = 200\n"
    "[stage3]\ntrain.iterations = 700\n";

}  // namespace

BOOST_AUTO_TEST_CASE(one_stage_keeps_seed_and_schedule) {
  const Parsed whole("[train]\nseed = 7\niterations = 100\n");
  BOOST_REQUIRE(whole.stages.size() == 1);
  BOOST_TEST(whole.stage(1).train.seed == 7);
  BOOST_TEST(whole.r(1, 0) == 0.1);
  BOOST_TEST(whole.r(1, 100) == 0.02, boost::test_tools::tolerance(1e-12));
}

BOOST_AUTO_TEST_CASE(seeds_differ_by_stage) {
  const Parsed three(kThree);
  BOOST_TEST(three.problem == "");
  BOOST_TEST(three.stage(1).train.seed == 7);  // as without stages
  const std::set<std::uint64_t> seeds = {three.stage(1).train.seed, three.stage(2).train.seed,
                                         three.stage(3).train.seed};
  BOOST_TEST(seeds.size() == 3);
  // Stages of runs with neighbouring seeds share no seed either, and all can be written to a file.
  std::set<std::uint64_t> all;
  for (std::uint64_t seed = 0; seed < 100; ++seed) {
    for (std::int64_t stage = 2; stage < 8; ++stage) all.insert(stage_seed(seed, stage));
  }
  BOOST_TEST(all.size() == 600);
  BOOST_TEST(*all.rbegin() < 1'000'000'000'000'000u);
  BOOST_TEST(*all.begin() >= 100);
  const Parsed given(kThree + "train.seed = 7\n");
  BOOST_TEST(given.stage(3).train.seed == 7);
}

BOOST_AUTO_TEST_CASE(r_counts_the_steps_of_all_stages) {
  const Parsed three(kThree);
  const auto expected = [](double k) { return 0.1 * std::pow(0.01, k / 1000); };
  const auto tolerance = boost::test_tools::tolerance(1e-12);
  BOOST_TEST(three.r(1, 0) == 0.1, tolerance);
  BOOST_TEST(three.r(1, 99) == expected(99), tolerance);
  BOOST_TEST(three.r(2, 0) == expected(100), tolerance);
  BOOST_TEST(three.r(3, 0) == expected(300), tolerance);
  BOOST_TEST(three.r(3, 700) == 0.001, tolerance);
  BOOST_TEST(problems_of(three.stage(3)).empty());
}

BOOST_AUTO_TEST_CASE(r_can_have_another_horizon) {
  const auto tolerance = boost::test_tools::tolerance(1e-12);
  const Parsed own(kThree + "[stage2]\nobjective.r_from = 0\nobjective.r_steps = 0\n");
  BOOST_TEST(own.r(2, 0) == 0.1, tolerance);  // stage 2 has a schedule of its own
  BOOST_TEST(own.r(2, 200) == 0.001, tolerance);
  const Parsed shorter(kThree, {"--objective.r_steps=400"});
  BOOST_TEST(shorter.r(2, 0) == 0.1 * std::pow(0.01, 0.25), tolerance);
  BOOST_TEST(shorter.r(3, 100) == 0.001, tolerance);
  BOOST_TEST(shorter.r(3, 600) == 0.001, tolerance);
  Config config;
  config.objective.ratio.first = config.objective.ratio.iterations = 5;
  BOOST_REQUIRE(problems_of(config).size() == 1u);
  BOOST_TEST(problems_of(config)[0] ==
             "objective.r_from: expected less than objective.r_steps = 5, found 5");
}

BOOST_AUTO_TEST_CASE(a_section_does_not_override_the_command_line) {
  const Parsed bad(kThree, {"--train.iterations=5"});
  BOOST_TEST(bad.problem ==
             "my.ini:7: [stage1] sets train.iterations = 100, which overrides the command line's "
             "train.iterations; use --stage1.train.iterations=VALUE for this stage\n"
             "my.ini:9: [stage2] sets train.iterations = 200, which overrides the command line's "
             "train.iterations; use --stage2.train.iterations=VALUE for this stage\n"
             "my.ini:11: [stage3] sets train.iterations = 700, which overrides the command line's "
             "train.iterations; use --stage3.train.iterations=VALUE for this stage");
  // What the message says works, and so does a value that no section sets.
  const Parsed good(kThree, {"--stage1.train.iterations=5", "--stage2.train.iterations=6",
                             "--stage3.train.iterations=7", "--train.batch=4"});
  BOOST_TEST(good.problem == "");
  BOOST_TEST(good.stage(2).train.iterations == 6);
  BOOST_TEST(good.stage(3).train.batch == 4);
  // --data is another name of data.dir.
  const Parsed data(kThree + "data.dir = there\n", {"--data", "here"});
  BOOST_TEST(data.problem.find("[stage3] sets data.dir = there") != std::string::npos,
             data.problem);
}
