// Checkpoints of a run: which are kept while it trains, listed, compared and pruned.
#define BOOST_TEST_MODULE checkpoints
#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <fstream>
#include <limits>

#include "eflow/core/base/error.hpp"
#include "eflow/tests/support/warnings.hpp"
#include "eflow/tests/trainer/temporary_folder.hpp"
#include "eflow/tests/trainer/tiny_run.hpp"
#include "eflow/trainer/checkpoints/checkpoint_diff.hpp"
#include "eflow/trainer/checkpoints/checkpoint_list.hpp"
#include "eflow/trainer/checkpoints/prune.hpp"
#include "eflow/trainer/config/exit_code.hpp"
#include "eflow/trainer/guard/best_steps.hpp"
#include "eflow/trainer/run/run_directory.hpp"
#include "eflow/trainer/run/training_run.hpp"

using namespace eflow;
using namespace eflow::trainer;
namespace fs = std::filesystem;

namespace {

using Steps = std::vector<std::int64_t>;

/// Measures the held-out error and saves at every step.
Config tiny() {
  Config c = test::tiny_run();
  c.train.iterations = 8;
  c.eval.every = c.checkpoint.every = 1;
  c.eval.clips = 4;
  c.checkpoint.keep = 100;
  return c;
}

Steps saved_in(const fs::path& run) {
  return io::CheckpointStore(run / "checkpoints").list();
}

fs::path checkpoint(const fs::path& run, std::int64_t step) {
  return io::CheckpointStore(run / "checkpoints").path_of(step);
}

/// The steps with the lowest errors in a run's metrics, ascending.
Steps best_in(const fs::path& run, std::int64_t most) {
  BestSteps errors;
  errors.catch_up(read_file(run / "metrics.jsonl"));
  Steps steps(8);
  for (std::size_t i = 0; i < steps.size(); ++i) steps[i] = static_cast<std::int64_t>(i) + 1;
  Steps best = errors.best(steps, most);
  std::sort(best.begin(), best.end());
  return best;
}

bool holds(const Steps& steps, std::int64_t step) {
  return std::find(steps.begin(), steps.end(), step) != steps.end();
}

Steps removed_of(const std::vector<PrunedCheckpoint>& all) {
  Steps steps;
  for (const PrunedCheckpoint& one : all) {
    if (one.kept.empty()) steps.push_back(one.step);
  }
  return steps;
}

void damage(const fs::path& folder) {
  std::fstream file(folder / "state.h5", std::ios::in | std::ios::out | std::ios::binary);
  file.seekp(static_cast<std::streamoff>(fs::file_size(folder / "state.h5") / 2)).put('x').put('y');
}

}  // namespace

BOOST_AUTO_TEST_CASE(the_best_steps_are_those_with_the_lowest_errors) {
  BestSteps errors;
  errors.note(1, 0.5), errors.note(2, 0.3), errors.note(3, 0.3), errors.note(4, 0.9);
  errors.note(5, std::numeric_limits<double>::quiet_NaN());
  BOOST_TEST((errors.best({1, 2, 3, 4, 5, 6}, 3) == Steps{2, 3, 1}));
  BOOST_TEST((errors.best({4, 5}, 3) == Steps{4}));
  BOOST_TEST(errors.best({1, 2}, 0).empty());
  errors.catch_up("{\"step\":6,\"eval_mse\":0.1}\nno json with \"eval_mse\"\n{\"step\":7}\n");
  BOOST_TEST((errors.best({1, 6, 7}, 1) == Steps{6}));
}

/// keep_best holds across a resume, which reads the errors from metrics.jsonl.
BOOST_AUTO_TEST_CASE(a_run_keeps_its_best_checkpoints) {
  const TemporaryFolder folder;
  const auto run = folder.path() / "run";
  Config config = tiny();
  config.checkpoint.keep = 1;
  config.checkpoint.keep_best = 2;
  config.train.iterations = 5;
  static_cast<void>(run_training(config, run, "auto", {}));
  config.train.iterations = 8;
  static_cast<void>(run_training(config, run, "auto", {}));
  const Steps best = best_in(run, 2);
  const Steps saved = saved_in(run);
  BOOST_TEST(holds(saved, 8));
  for (const std::int64_t step : best) BOOST_TEST(holds(saved, step), "step " << step);
  BOOST_TEST(saved.size() <= 3u);
}

BOOST_AUTO_TEST_CASE(checkpoints_are_listed_with_their_errors) {
  const TemporaryFolder folder;
  const auto run = folder.path() / "run";
  static_cast<void>(run_training(tiny(), run, "auto", {}));
  BOOST_TEST((run_folders(run) == std::vector<fs::path>{run}));
  const auto all = list_checkpoints(run);
  BOOST_REQUIRE(all.size() == 8u);
  for (std::size_t i = 0; i < all.size(); ++i) {
    BOOST_TEST(all[i].step == static_cast<std::int64_t>(i) + 1);
    BOOST_TEST(all[i].bytes > 1000u);
    BOOST_TEST(all[i].error.has_value());
  }
  BOOST_CHECK_THROW(static_cast<void>(run_folders(folder.path())), CheckpointError);
}

BOOST_AUTO_TEST_CASE(pruning_keeps_what_the_rules_name) {
  const TemporaryFolder folder;
  const auto run = folder.path() / "run";
  static_cast<void>(run_training(tiny(), run, "auto", {}));
  const Steps best = best_in(run, 1);
  Steps expected;
  for (std::int64_t step = 1; step <= 6; ++step) {
    if (step % 3 != 0 && step != best[0]) expected.push_back(step);
  }
  const PruneRules rules{.last = 2, .every = 3, .best = 1};
  BOOST_TEST(removed_of(prune_checkpoints(run, rules, true)) == expected,
             boost::test_tools::per_element());
  BOOST_TEST(saved_in(run).size() == 8u);  // a dry run
  BOOST_TEST(removed_of(prune_checkpoints(run, rules, false)) == expected,
             boost::test_tools::per_element());
  BOOST_TEST(saved_in(run).size() == 8u - expected.size());
  BOOST_TEST(removed_of(prune_checkpoints(run, rules, false)).empty());
  BOOST_CHECK_THROW(prune_checkpoints(run, {.last = 0}, false), InvalidArgument);
}

/// If the newest are damaged, the one that a resume falls back to stays.
BOOST_AUTO_TEST_CASE(pruning_keeps_the_newest_intact_one) {
  const TemporaryFolder folder;
  const test::Warnings warnings;
  const auto run = folder.path() / "run";
  static_cast<void>(run_training(tiny(), run, "auto", {}));
  damage(checkpoint(run, 8)), damage(checkpoint(run, 7));
  prune_checkpoints(run, {.last = 1}, false);
  BOOST_TEST((saved_in(run) == Steps{6, 8}));
  damage(checkpoint(run, 6));
  BOOST_CHECK_THROW(prune_checkpoints(run, {.last = 1}, false), CheckpointError);
  BOOST_TEST((saved_in(run) == Steps{6, 8}));
}

BOOST_AUTO_TEST_CASE(a_run_that_trains_is_not_pruned) {
  const TemporaryFolder folder;
  const auto run = folder.path() / "run";
  static_cast<void>(run_training(tiny(), run, "auto", {}));
  const FileLock training(run / "run.lock");
  BOOST_CHECK_THROW(prune_checkpoints(run, {.last = 1}, false), IoError);
  BOOST_TEST(saved_in(run).size() == 8u);
  BOOST_TEST(removed_of(prune_checkpoints(run, {.last = 1}, true)).size() == 7u);
}

/// Stage 2 began from step 8, stage 3's configuration names step 3.
BOOST_AUTO_TEST_CASE(what_other_stages_need_is_kept) {
  const TemporaryFolder folder;
  const auto first = folder.path() / "stage-1", second = folder.path() / "stage-2",
             third = folder.path() / "stage-3";
  static_cast<void>(run_training(tiny(), first, "auto", {}));
  Config next = tiny();
  next.train.init_from = first.string();
  static_cast<void>(run_training(next, second, "auto", {}));
  Config longer = tiny();
  longer.train.iterations = 10;  // stage 1 is trained on
  static_cast<void>(run_training(longer, first, "auto", {}));
  next.train.init_from = checkpoint(first, 3).string();
  fs::create_directories(third);
  std::ofstream(third / "config.ini") << to_ini(next);
  prune_checkpoints(first, {.last = 1}, false);
  BOOST_TEST((saved_in(first) == Steps{3, 8, 10}));
  BOOST_TEST((run_folders(folder.path()) == std::vector<fs::path>{first, second}));
}

BOOST_AUTO_TEST_CASE(differences_are_named) {
  const TemporaryFolder folder;
  const auto run = folder.path() / "run", other = folder.path() / "other";
  Config config = tiny();
  static_cast<void>(run_training(config, run, "auto", {}));
  config.optim.lr.peak *= 2;
  static_cast<void>(run_training(config, other, "auto", {}));
  const auto open = [](const fs::path& from, std::int64_t step) {
    return io::Checkpoint(checkpoint(from, step));
  };
  const CheckpointDiff same = compare_checkpoints(open(run, 8), open(run, 8));
  BOOST_TEST(same.empty());
  BOOST_TEST(same.equal == open(run, 8).arrays().size());
  const CheckpointDiff diff = compare_checkpoints(open(run, 8), open(other, 8));
  BOOST_REQUIRE(diff.facts.size() == 1u);
  BOOST_TEST(diff.facts[0].starts_with("optim.lr: "));
  BOOST_TEST(diff.arrays.size() + diff.equal == same.equal);
  BOOST_REQUIRE(!diff.arrays.empty());
  BOOST_TEST(diff.arrays[0].find("values differ, by at most ") != std::string::npos);
  BOOST_TEST(compare_checkpoints(open(run, 7), open(run, 8)).facts.at(0) == "step: 7, the other 8");
}
