// Saving in the background changes neither the result of a run nor which steps are saved, and its
// failures do not end the run.
#define BOOST_TEST_MODULE async_saves
#include <boost/test/unit_test.hpp>
#include <fstream>

#include "eflow/io/checkpoint/checkpoint.hpp"
#include "eflow/tests/support/warnings.hpp"
#include "eflow/tests/trainer/temporary_folder.hpp"
#include "eflow/tests/trainer/tiny_run.hpp"
#include "eflow/trainer/config/config.hpp"
#include "eflow/trainer/run/training_run.hpp"

using namespace eflow;
using namespace eflow::trainer;
using eflow::test::Warnings;

namespace {

using Steps = std::vector<std::int64_t>;

/// A tiny run on an exact flow, which needs no data set.
Config tiny(std::int64_t iterations, std::int64_t every) {
  Config c = test::tiny_run();
  c.train.iterations = iterations;
  c.checkpoint.every = every;
  c.checkpoint.keep = 100;
  return c;
}

io::CheckpointStore store_of(const std::filesystem::path& run) {
  return io::CheckpointStore(run / "checkpoints");
}

void block(const std::filesystem::path& checkpoints) {
  std::filesystem::remove_all(checkpoints);
  std::ofstream(checkpoints) << "a file where the folder should be";
}

}  // namespace

BOOST_AUTO_TEST_CASE(checkpoints_equal_those_of_synchronous_saving) {
  const TemporaryFolder folder;
  Config config = tiny(7, 1);
  for (const bool async : {false, true}) {
    config.checkpoint.async = async;
    const auto run = folder.path() / (async ? "async" : "sync");
    const auto result = run_training(config, run, "auto", {});
    BOOST_TEST(result.checkpoint == store_of(run).path_of(7));
    BOOST_TEST((store_of(run).list() == Steps{1, 2, 3, 4, 5, 6, 7}));
  }
  for (std::int64_t step = 1; step <= 7; ++step) {
    const io::Checkpoint a(store_of(folder.path() / "sync").path_of(step)),
        b(store_of(folder.path() / "async").path_of(step));
    b.verify();
    BOOST_TEST(a.digest() == b.digest(), "step " << step);
  }
}

/// The run goes on, says so once, and saves again some steps later.
BOOST_AUTO_TEST_CASE(a_failed_background_save_is_tried_again) {
  const TemporaryFolder folder;
  const auto run = folder.path() / "run", checkpoints = run / "checkpoints";
  const Warnings warnings;
  bool blocked = false, freed = false;
  std::int64_t shown = 0;
  TrainingHooks hooks;
  hooks.on_step = [&](const StepMetrics& m) {
    shown = m.step;
    if (!blocked) block(checkpoints);
    blocked = true;
    if (!freed && warnings.count_with("could not save step 300") > 0) {
      std::filesystem::remove(checkpoints);
      freed = true;
    }
  };
  hooks.stop = [&] { return freed && !store_of(run).list().empty(); };
  const auto result = run_training(tiny(100'000, 300), run, "auto", hooks);
  BOOST_TEST(result.stopped);
  BOOST_TEST(result.step < 600);  // tried again before the next periodic save
  BOOST_TEST(warnings.count_with("could not save") == 1);
  BOOST_TEST(warnings.count_with("the run goes on and tries again after step") == 1);
  BOOST_TEST(store_of(run).list().back() == result.step);
}

BOOST_AUTO_TEST_CASE(a_run_that_can_never_save_ends) {
  const TemporaryFolder folder;
  const auto run = folder.path() / "run";
  const Warnings warnings;
  TrainingHooks hooks;
  hooks.on_step = [&](const StepMetrics& m) {
    if (m.step == 1) block(run / "checkpoints");
  };
  BOOST_CHECK_THROW(run_training(tiny(100'000, 5), run, "auto", hooks), Error);
  BOOST_TEST(warnings.count_with("the run goes on and tries again") == 2);
}

/// An error that ends the run first waits for the save that is being written.
BOOST_AUTO_TEST_CASE(an_error_loses_no_save_in_flight) {
  const TemporaryFolder folder;
  const auto run = folder.path() / "run";
  const Warnings warnings;
  std::int64_t shown = 0;
  TrainingHooks hooks;
  hooks.on_step = [&](const StepMetrics& m) { shown = m.step; };
  hooks.stop = [&]() -> bool {
    if (shown == 4) throw std::runtime_error("lost");
    return false;
  };
  BOOST_CHECK_THROW(run_training(tiny(20, 4), run, "auto", hooks), std::runtime_error);
  BOOST_TEST((store_of(run).list() == Steps{4, 5}));  // the periodic one and the rescue
  BOOST_TEST(run_training(tiny(6, 4), run, "auto", {}).step == 6);
}

/// A stop during a background save ends with the last step durable.
BOOST_AUTO_TEST_CASE(a_stop_waits_for_durability) {
  const TemporaryFolder folder;
  const auto run = folder.path() / "run";
  std::int64_t shown = 0;
  TrainingHooks hooks;
  hooks.on_step = [&](const StepMetrics& m) { shown = m.step; };
  hooks.stop = [&] { return shown == 8; };
  const auto result = run_training(tiny(100, 2), run, "auto", hooks);
  BOOST_TEST(result.step == 9);
  BOOST_TEST((store_of(run).list() == Steps{2, 4, 6, 8, 9}));
  BOOST_TEST(result.checkpoint == store_of(run).path_of(9));
}

/// The save that the move interrupts, if any, fails; the run saves in the new place.
BOOST_AUTO_TEST_CASE(a_run_moved_during_a_save_is_followed) {
  const TemporaryFolder folder;
  const auto run = folder.path() / "run", moved = folder.path() / "moved";
  const Warnings warnings;
  TrainingHooks hooks;
  hooks.on_step = [&](const StepMetrics& m) {
    if (m.step == 12) std::filesystem::rename(run, moved);
  };
  const auto result = run_training(tiny(24, 6), run, "auto", hooks);
  BOOST_TEST(!std::filesystem::exists(run));
  BOOST_TEST(result.checkpoint == store_of(moved).path_of(24));
  const Steps saved = store_of(moved).list();
  BOOST_TEST(saved.size() >= 2u);
  for (const std::int64_t step : saved) io::Checkpoint(store_of(moved).path_of(step)).verify();
}
