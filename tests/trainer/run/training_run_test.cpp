// Only the loss of training itself ends a run: faults around it are warnings, are retried, and cost
// no step.
#define BOOST_TEST_MODULE training_run
#include "eflow/trainer/run/training_run.hpp"

#include <boost/test/unit_test.hpp>
#include <fstream>
#include <nlohmann/json.hpp>

#include "eflow/core/base/error.hpp"
#include "eflow/io/checkpoint/checkpoint.hpp"
#include "eflow/tests/io/full_disk.hpp"
#include "eflow/tests/support/warnings.hpp"
#include "eflow/tests/trainer/temporary_folder.hpp"
#include "eflow/tests/trainer/tiny_run.hpp"
#include "eflow/trainer/config/config.hpp"

using namespace eflow;
using namespace eflow::trainer;
using eflow::test::tiny_run;
using eflow::test::Warnings;

namespace {

std::size_t lines_in(const std::filesystem::path& path) {
  std::ifstream file(path);
  std::size_t count = 0;
  for (std::string line; std::getline(file, line);) ++count;
  return count;
}

std::vector<std::int64_t> saved_in(const std::filesystem::path& run) {
  return io::CheckpointStore(run / "checkpoints").list();
}

/// Hooks that do something after a step.
TrainingHooks after(std::int64_t step, const std::function<void()>& act) {
  TrainingHooks hooks;
  hooks.on_step = [=](const StepMetrics& m) {
    if (m.step == step) act();
  };
  return hooks;
}

void limit_files(rlim_t bytes) {
  rlimit limit{};
  ::getrlimit(RLIMIT_FSIZE, &limit);
  limit.rlim_cur = bytes;
  ::setrlimit(RLIMIT_FSIZE, &limit);
}

using Steps = std::vector<std::int64_t>;

}  // namespace

BOOST_AUTO_TEST_CASE(callbacks_that_throw_do_not_end_a_run) {
  const TemporaryFolder folder;
  const Warnings warnings;
  TrainingHooks hooks;
  hooks.say = [](const std::string&) { throw std::runtime_error("no log"); };
  hooks.on_step = [](const StepMetrics&) { throw std::runtime_error("no bar"); };
  const auto result = run_training(tiny_run(), folder.path() / "run", "auto", hooks);
  BOOST_TEST(result.step == 6);
  BOOST_TEST((saved_in(folder.path() / "run") == Steps{6}));
  BOOST_TEST(warnings.count_with("no log") == 1);
  BOOST_TEST(warnings.count_with("no bar") == 1);
}

BOOST_AUTO_TEST_CASE(metrics_that_cannot_be_written_are_written_later) {
  ::signal(SIGXFSZ, SIG_IGN);
  const TemporaryFolder folder;
  const auto run = folder.path() / "run";
  const Warnings warnings;
  TrainingHooks hooks;
  hooks.on_step = [&](const StepMetrics& m) {
    if (m.step == 2) limit_files(0);
    if (m.step == 4) limit_files(RLIM_INFINITY);
  };
  BOOST_TEST(run_training(tiny_run(), run, "auto", hooks).step == 6);
  BOOST_TEST(lines_in(run / "metrics.jsonl") == 6u);
  BOOST_TEST(warnings.count_with("could not write metrics.jsonl") == 2);  // begins, and is over
}

/// Lines that metrics.jsonl could not take before a save are in the checkpoint, and in the file once
/// the run resumes.
BOOST_AUTO_TEST_CASE(a_checkpoint_holds_pending_metrics) {
  const TemporaryFolder folder;
  const auto run = folder.path() / "run", metrics = run / "metrics.jsonl";
  Config config = tiny_run();
  config.train.iterations = 3;
  BOOST_TEST(run_training(config, run, "auto", {}).step == 3);
  std::ifstream file(metrics);
  std::string first, second, third;
  std::getline(file, first), std::getline(file, second), std::getline(file, third);
  std::filesystem::resize_file(metrics, first.size() + 1 + 5);  // and part of a line
  io::CheckpointStore store(run / "checkpoints");
  const io::Checkpoint checkpoint(store.path_of(3));
  auto metadata = nlohmann::json::parse(checkpoint.metadata());
  BOOST_TEST(!metadata.contains("pending_metrics"));
  metadata["pending_metrics"] = second + "\n" + third + "\n";
  const auto arrays = checkpoint.load();
  std::vector<io::NamedBytes> state;
  for (const auto& a : arrays) state.push_back({a.name, a.dtype, a.shape, a.bytes});
  store.save(3, state, metadata.dump());
  BOOST_TEST(run_training(tiny_run(), run, "auto", {}).step == 6);
  BOOST_TEST(lines_in(metrics) == 6u);
}

BOOST_AUTO_TEST_CASE(a_failed_save_is_tried_again) {
  ::signal(SIGXFSZ, SIG_IGN);
  const TemporaryFolder folder;
  const auto run = folder.path() / "run";
  Config config = tiny_run();
  config.checkpoint.every = 3;
  config.checkpoint.async = false;
  const Warnings warnings;
  TrainingHooks hooks;
  hooks.on_step = [&](const StepMetrics& m) {
    if (m.step == 2) limit_files(0);
    if (m.step == 3) limit_files(RLIM_INFINITY);
  };
  BOOST_TEST(run_training(config, run, "auto", hooks).step == 6);
  BOOST_TEST((saved_in(run) == Steps{4, 6}));
  BOOST_TEST(warnings.count_with("could not save step 3") == 1);
}

BOOST_AUTO_TEST_CASE(a_run_without_a_place_to_save_ends) {
  ::signal(SIGXFSZ, SIG_IGN);
  const TemporaryFolder folder;
  const auto run = folder.path() / "run";
  Config config = tiny_run();
  config.checkpoint.every = 1;
  config.checkpoint.async = false;
  const Warnings warnings;
  BOOST_CHECK_THROW(run_training(config, run, "auto", after(2, [] { limit_files(0); })), IoError);
  limit_files(RLIM_INFINITY);
  BOOST_TEST((saved_in(run) == Steps{1, 2}));
  BOOST_TEST(run_training(config, run, "auto", {}).step == 6);
  BOOST_TEST(lines_in(run / "metrics.jsonl") == 6u);
}

BOOST_AUTO_TEST_CASE(a_removed_run_folder_is_made_again) {
  const TemporaryFolder folder;
  const auto run = folder.path() / "run";
  const Warnings warnings;
  const auto result =
      run_training(tiny_run(), run, "auto", after(3, [&] { std::filesystem::remove_all(run); }));
  BOOST_TEST(result.step == 6);
  BOOST_TEST((saved_in(run) == Steps{4, 6}));  // at once, and at the end
  BOOST_TEST(lines_in(run / "metrics.jsonl") == 6u);
  BOOST_TEST(std::filesystem::exists(run / "config.ini"));
  BOOST_TEST(warnings.count_with("was removed") == 1);
}

BOOST_AUTO_TEST_CASE(a_moved_run_folder_is_followed) {
  const TemporaryFolder folder;
  const auto run = folder.path() / "run", moved = folder.path() / "moved";
  const Warnings warnings;
  const auto result =
      run_training(tiny_run(), run, "auto", after(3, [&] { std::filesystem::rename(run, moved); }));
  BOOST_TEST(!std::filesystem::exists(run));
  BOOST_TEST(result.checkpoint == moved / "checkpoints" / "step-00000006");
  BOOST_TEST((saved_in(moved) == Steps{6}));
  BOOST_TEST(lines_in(moved / "metrics.jsonl") == 6u);
}

BOOST_AUTO_TEST_CASE(previews_that_cannot_be_written_do_not_end_a_run) {
  const TemporaryFolder folder;
  const auto run = folder.path() / "run";
  Config config = tiny_run();
  config.sample.every = 1;
  config.sample.count = 1;
  config.sample.steps = 1;
  const Warnings warnings;
  const auto result = run_training(config, run, "auto", after(2, [&] {
                                     std::filesystem::remove_all(run / "samples");
                                     std::ofstream(run / "samples") << "a file";
                                   }));
  BOOST_TEST(result.step == 6);
  BOOST_TEST(warnings.count_with("could not write the preview") == 1);
}

/// The last finished step is saved before the error leaves run_training().
BOOST_AUTO_TEST_CASE(a_run_that_fails_saves_first) {
  const TemporaryFolder folder;
  const auto run = folder.path() / "run";
  const Warnings warnings;
  TrainingHooks hooks;
  int shown = 0;  // a step is shown after the stop is polled, which preparing does as well
  hooks.on_step = [&](const StepMetrics&) { ++shown; };
  hooks.stop = [&]() -> bool {
    if (shown == 2) throw std::runtime_error("lost");
    return false;
  };
  BOOST_CHECK_THROW(run_training(tiny_run(), run, "auto", hooks), std::runtime_error);
  BOOST_TEST((saved_in(run) == Steps{3}));
  BOOST_TEST(run_training(tiny_run(), run, "auto", {}).step == 6);
  BOOST_TEST(lines_in(run / "metrics.jsonl") == 6u);
}
