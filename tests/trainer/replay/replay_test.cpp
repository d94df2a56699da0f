// Steps whose loss is not finite: skipped within a budget, recorded, and repeated bit for bit.
#define BOOST_TEST_MODULE replay
#include "eflow/trainer/replay/replay.hpp"

#include <boost/test/unit_test.hpp>
#include <fstream>
#include <nlohmann/json.hpp>

#include "eflow/core/base/error.hpp"
#include "eflow/core/tensor/ops.hpp"
#include "eflow/tests/support/warnings.hpp"
#include "eflow/tests/trainer/spiked_clips.hpp"
#include "eflow/tests/trainer/temporary_folder.hpp"
#include "eflow/trainer/config/exit_code.hpp"
#include "eflow/trainer/guard/recorded_step.hpp"
#include "eflow/trainer/run/checkpoint.hpp"
#include "eflow/trainer/run/training_run.hpp"

using namespace eflow;
using namespace eflow::trainer;
using eflow::test::SpikedClips;
namespace fs = std::filesystem;

namespace {

std::vector<nlohmann::json> metrics_of(const fs::path& run) {
  std::vector<nlohmann::json> lines;
  std::ifstream file(run / "metrics.jsonl");
  for (std::string line; std::getline(file, line);) lines.push_back(nlohmann::json::parse(line));
  return lines;
}

/// The first step of a run whose loss is null; 0 if there is none.
std::int64_t bad_step(const fs::path& run) {
  for (const auto& line : metrics_of(run)) {
    if (line["loss"].is_null()) return line["step"].get<std::int64_t>();
  }
  return 0;
}

std::string digest_of(const fs::path& run, std::int64_t step) {
  return open_checkpoint(io::CheckpointStore(run / "checkpoints").path_of(step)).digest();
}

void quiet(const std::string&) {}

struct Folder : TemporaryFolder {
  Folder() { test::pack_spiked_clips(path() / "data"); }
  [[nodiscard]] Config config(std::int64_t skips) const {
    Config c = test::spiked_config(path() / "data");
    c.train.skip_nonfinite = skips;
    return c;
  }
  [[nodiscard]] fs::path run(const char* name) const { return path() / name; }
  test::Warnings warnings;
};

}  // namespace

BOOST_AUTO_TEST_CASE(a_step_within_the_budget_is_skipped_and_counted) {
  const Folder folder;
  const fs::path run = folder.run("run");
  BOOST_TEST(run_training(folder.config(1), run, "auto", {}).step == 8);
  const std::int64_t bad = bad_step(run);
  BOOST_REQUIRE(bad > 0);
  for (const auto& line : metrics_of(run)) {
    const bool counted = line.contains("skipped");
    BOOST_TEST(counted == (line["step"] >= bad));
    if (counted) BOOST_TEST(line["skipped"] == 1);
    BOOST_TEST(line["loss"].is_number() == (line["step"] != bad));
  }
  BOOST_TEST(folder.warnings.count_with("1 of 1 (train.skip_nonfinite)") == 1);
}

BOOST_AUTO_TEST_CASE(a_skipped_step_repeats_bit_for_bit) {
  const Folder folder;
  const fs::path run = folder.run("run");
  BOOST_TEST(run_training(folder.config(1), run, "auto", {}).step == 8);
  const fs::path bundle = run / "replay" / str("step-", bad_step(run));
  fs::remove_all(folder.path() / "data");  // the bundle suffices
  const ReplayReport report = replay_step(bundle, quiet);
  BOOST_TEST(report.step == bad_step(run));
  BOOST_TEST(report.differences.empty());
  BOOST_TEST(report.recorded.samples.size() == 4u);
  BOOST_TEST(!report.repeated.is_finite());
  BOOST_REQUIRE(report.odd_inputs.size() == 1u);
  BOOST_TEST(
      report.odd_inputs[0].starts_with(str("clip ", SpikedClips::kSpiked, ": values up to")));
  BOOST_REQUIRE(report.first.has_value());
  BOOST_TEST(report.first->value.find("are not finite") != std::string::npos);
}

/// One bit in the weights, a clip or a recorded loss is noticed.
BOOST_AUTO_TEST_CASE(another_state_does_not_repeat) {
  const Folder folder;
  const fs::path run = folder.run("run");
  BOOST_TEST(run_training(folder.config(1), run, "auto", {}).step == 8);
  const fs::path bundle = run / "replay" / str("step-", bad_step(run)),
                 file = bundle / kRecordedStepName;
  RecordedStep step = read_recorded_step(file);
  bool changed = false;
  for (auto& sample : step.outcome.samples) {
    if (changed || !std::isfinite(sample.loss)) continue;
    sample.loss = std::nextafter(sample.loss, 2.0);
    changed = true;
  }
  BOOST_REQUIRE(changed);
  write_recorded_step(file, step);
  BOOST_TEST(replay_step(bundle, quiet).differences.size() == 1u);
}

BOOST_AUTO_TEST_CASE(the_step_that_ends_a_run_is_recorded) {
  const Folder folder;
  const fs::path run = folder.run("run");
  BOOST_CHECK_EXCEPTION(static_cast<void>(run_training(folder.config(0), run, "auto", {})),
                        NumericError, [](const NumericError& error) {
                          const std::string text = error.what();
                          return text.find("not finite for clips: 5;") != std::string::npos &&
                                 text.find("spent") == std::string::npos;
                        });
  const fs::path replays = run / "replay";
  BOOST_REQUIRE(fs::exists(replays));
  const fs::path bundle = fs::directory_iterator(replays)->path();
  BOOST_TEST(replay_step(bundle, quiet).differences.empty());
}

/// The budget is the run's, not the process's: the second visit of the clip, after a resume, ends it.
BOOST_AUTO_TEST_CASE(the_budget_holds_across_a_resume) {
  const Folder folder;
  const fs::path run = folder.run("run");
  BOOST_TEST(run_training(folder.config(1), run, "auto", {}).step == 8);
  Config longer = folder.config(1);
  longer.train.iterations = 16;
  BOOST_CHECK_EXCEPTION(static_cast<void>(run_training(longer, run, "auto", {})), NumericError,
                        [](const NumericError& error) {
                          return std::string(error.what()).find("all 1 skips are spent") !=
                                 std::string::npos;
                        });
  longer.train.skip_nonfinite = 2;
  BOOST_TEST(run_training(longer, run, "auto", {}).step == 16);
  BOOST_TEST(metrics_of(run).back()["skipped"] == 2);
}

BOOST_AUTO_TEST_CASE(a_run_that_was_interrupted_after_a_skip_ends_in_the_same_bits) {
  const Folder folder;
  Config config = folder.config(2);
  config.train.iterations = 16;
  const fs::path whole = folder.run("whole"), parts = folder.run("parts");
  BOOST_TEST(run_training(config, whole, "auto", {}).step == 16);
  const std::int64_t bad = bad_step(whole);
  for (const std::int64_t stop : {bad, bad + 2}) {
    TrainingHooks hooks;
    bool next = false;
    hooks.on_step = [&](const StepMetrics& m) { next = m.step == stop - 1; };
    hooks.stop = [&] { return next; };
    BOOST_TEST(run_training(config, parts, "auto", hooks).step == stop);
  }
  BOOST_TEST(run_training(config, parts, "auto", {}).step == 16);
  BOOST_TEST(digest_of(parts, 16) == digest_of(whole, 16));
}

BOOST_AUTO_TEST_CASE(every_flip_of_a_recorded_step_is_noticed) {
  const Folder folder;
  const fs::path run = folder.run("run");
  BOOST_TEST(run_training(folder.config(1), run, "auto", {}).step == 8);
  const fs::path file = run / "replay" / str("step-", bad_step(run)) / kRecordedStepName;
  const std::string good = read_file(file);
  for (std::size_t i = 0; i < good.size(); i += 1 + good.size() / 200) {
    std::string bad = good;
    bad[i] = static_cast<char>(bad[i] ^ (1 << (i % 8)));
    write_file_atomically(file, bad);
    BOOST_CHECK_THROW(static_cast<void>(read_recorded_step(file)), CorruptData);
    write_file_atomically(file, good.substr(0, i));
    BOOST_CHECK_THROW(static_cast<void>(read_recorded_step(file)), CorruptData);
  }
  write_file_atomically(file, good);
  BOOST_TEST(read_recorded_step(file).sources.size() == 1u);
}

BOOST_AUTO_TEST_CASE(a_folder_that_is_no_bundle_is_refused) {
  const TemporaryFolder folder;
  BOOST_CHECK_THROW(static_cast<void>(replay_step(folder.path(), quiet)), CheckpointError);
}

/// The op and the weights are named, forward and backward.
BOOST_AUTO_TEST_CASE(the_first_op_with_a_value_that_is_not_finite_is_found) {
  Tensor weight = Tensor::from(std::vector<float>{1, 0, 3}, {3});
  weight.set_requires_grad();
  const Tensor x = Tensor::from(std::vector<float>{1, 2, 3}, {3});
  const auto in_forward = find_nonfinite({{"layer.weight", weight}}, [&] {
    const Tensor good = x * 2;
    const Tensor bad = x / weight;  // x / 0
    static_cast<void>(bad + good);
  });
  BOOST_REQUIRE(in_forward.has_value());
  BOOST_TEST(in_forward->parameter == "layer.weight");
  BOOST_TEST(in_forward->value.find("1 of 3 values") != std::string::npos);
  BOOST_TEST(!in_forward->op.starts_with("gradient of"));
  const auto in_backward =
      find_nonfinite({{"layer.weight", weight}}, [&] { backward(sum(sqrt(weight))); });
  BOOST_REQUIRE(in_backward.has_value());
  BOOST_TEST(in_backward->op.starts_with("gradient of"));
  BOOST_TEST(!find_nonfinite({}, [&] { static_cast<void>(x * 2); }).has_value());
}
