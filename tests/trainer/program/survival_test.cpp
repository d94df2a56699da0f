// What may go wrong around the program costs no training step: signals, readers that end, streams
// that cannot be written, files that cannot be read, stages that were trained on.
#define BOOST_TEST_MODULE survival
#include <boost/test/unit_test.hpp>
#include <chrono>
#include <thread>

#include "eflow/io/checkpoint/checkpoint.hpp"
#include "eflow/tests/trainer/program/program.hpp"
#include "eflow/tests/trainer/temporary_folder.hpp"

using namespace eflow;

namespace {

constexpr const char* kTiny =
    "train --config " EFLOW_CONFIGS
    "/exact-gaussian.ini --train.batch=4 --model.dim=32 --optim.warmup=1 --eval.every=0 "
    "--sample.every=0 --checkpoint.every=0 --log.every=1 --out ";

std::size_t lines_in(const std::filesystem::path& path) {
  std::ifstream file(path);
  std::size_t count = 0;
  for (std::string line; std::getline(file, line);) ++count;
  return count;
}

using Steps = std::vector<std::int64_t>;

Steps saved_in(const std::filesystem::path& run) {
  return io::CheckpointStore(run / "checkpoints").list();
}

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

/// Runs a shell script and returns its code and output.
Outcome shell(const std::filesystem::path& folder, const std::string& script) {
  const std::string log = (folder / "log").string();
  const int status = std::system(("bash -c '{ " + script + " ; } >" + log + " 2>&1'").c_str());
  return {code_of(status), content_of(log)};
}

std::string program(const std::string& words) {
  return std::string(EFLOW_PROGRAM) + " " + words;
}

void wait_for_lines(const std::filesystem::path& path, std::size_t count) {
  const auto begin = std::chrono::steady_clock::now();
  while (lines_in(path) < count) {
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
    BOOST_REQUIRE(std::chrono::steady_clock::now() - begin < std::chrono::minutes(2));
  }
}

}  // namespace

/// SIGHUP comes when a terminal closes, more than once if a shell passes it on.
BOOST_AUTO_TEST_CASE(stop_signals_save) {
  const TemporaryFolder folder;
  for (const int number : {SIGHUP, SIGXCPU, SIGUSR1, SIGUSR2, SIGTERM}) {
    const auto run = folder.path() / std::to_string(number);
    const pid_t pid = start_eflow(kTiny + run.string() + " --train.iterations=1000000");
    wait_for_lines(run / "metrics.jsonl", 3);
    for (int i = 0; i < (number == SIGTERM ? 1 : 5); ++i) kill(pid, number);
    BOOST_TEST(wait_for(pid) == 75, "signal " << number);
    const auto steps = static_cast<std::int64_t>(lines_in(run / "metrics.jsonl"));
    BOOST_TEST((saved_in(run) == Steps{steps}), "signal " << number);
  }
}

BOOST_AUTO_TEST_CASE(an_ignored_hangup_stays_ignored) {
  const TemporaryFolder folder;
  const auto run = folder.path() / "run";
  const auto outcome =
      shell(folder.path(), "trap \"\" HUP; " + program(kTiny + run.string()) +
                               " --train.iterations=40 & p=$!; for i in $(seq 1000); do [ -s " +
                               run.string() +
                               "/metrics.jsonl ] && break; sleep 0.01; done; kill "
                               "-HUP $p; wait $p");
  BOOST_TEST(outcome.code == 0, outcome.text);
  BOOST_TEST((saved_in(run) == Steps{40}));
}

BOOST_AUTO_TEST_CASE(a_reader_that_ends_does_not_end_training) {
  const TemporaryFolder folder;
  const auto run = folder.path() / "run";
  const auto outcome = shell(folder.path(), program(kTiny + run.string()) +
                                                " --train.iterations=40 | head -2; exit "
                                                "${PIPESTATUS[0]}");
  BOOST_TEST(outcome.code == 0, outcome.text);
  BOOST_TEST(lines_in(run / "metrics.jsonl") == 40u);
  BOOST_TEST((saved_in(run) == Steps{40}));
  BOOST_TEST(contains(outcome.text, "cannot write to standard output: Broken pipe"), outcome.text);
}

BOOST_AUTO_TEST_CASE(a_stream_that_cannot_be_written_does_not_end_training) {
  const TemporaryFolder folder;
  for (const char* streams : {">/dev/full", ">&-", ">/dev/full 2>/dev/full", ">&- 2>&- <&-"}) {
    const auto run = folder.path() / "run";
    std::filesystem::remove_all(run);
    const auto outcome =
        shell(folder.path(), program(kTiny + run.string()) + " --train.iterations=20 " + streams);
    BOOST_TEST(outcome.code == 0, streams << outcome.text);
    BOOST_TEST(lines_in(run / "metrics.jsonl") == 20u, streams);
    BOOST_TEST((saved_in(run) == Steps{20}), streams);
  }
  const auto lost = shell(folder.path(), program("inspect --options >/dev/full"));
  BOOST_TEST(lost.code == 8, lost.text);
  BOOST_TEST(contains(lost.text, "standard output"), lost.text);
  const auto cut =
      shell(folder.path(), program("inspect --options") + " | head -1; exit ${PIPESTATUS[0]}");
  BOOST_TEST(cut.code == 0, cut.text);
}

/// A pipe that nobody empties must not hold up training either.
BOOST_AUTO_TEST_CASE(a_reader_that_stops_reading_does_not_stop_training) {
  const TemporaryFolder folder;
  const auto run = folder.path() / "run";
  const auto outcome = shell(folder.path(), program(kTiny + run.string()) +
                                                " --train.iterations=1500 | (until [ -d " +
                                                (run / "checkpoints/step-00001500").string() +
                                                " ]; do sleep 0.1; done); exit ${PIPESTATUS[0]}");
  BOOST_TEST(outcome.code == 0, outcome.text);
  BOOST_TEST(lines_in(run / "metrics.jsonl") == 1500u);
}

BOOST_AUTO_TEST_CASE(a_limit_on_file_sizes_is_an_error) {
  const TemporaryFolder folder;
  const auto run = (folder.path() / "run").string(), out = (folder.path() / "out").string();
  BOOST_REQUIRE(eflow_says(kTiny + run + " --train.iterations=2").code == 0);
  const auto outcome = shell(folder.path(), "ulimit -f 1; " + program("sample --run " + run) +
                                                " --count 50 --steps 1 --out " + out +
                                                " 2>&1 | "
                                                "cat; exit ${PIPESTATUS[0]}");
  BOOST_TEST(outcome.code == 8, outcome.text);
  BOOST_TEST(contains(outcome.text, "ulimit -f"), outcome.text);
}

/// A link to itself stands for a file that is intact but cannot be opened.
BOOST_AUTO_TEST_CASE(a_checkpoint_that_cannot_be_read_is_not_passed_over) {
  const TemporaryFolder folder;
  const auto run = folder.path() / "run", newest = run / "checkpoints/step-00000004";
  const std::string words =
      kTiny + run.string() + " --checkpoint.every=2 --checkpoint.keep=3 --train.iterations=";
  BOOST_REQUIRE(eflow_says(words + "4").code == 0);
  std::filesystem::rename(newest / "state.h5", folder.path() / "away");
  std::filesystem::create_symlink("state.h5", newest / "state.h5");
  for (const std::string& command :
       {words + "8", "sample --out " + folder.path().string() + " --run " + run.string()}) {
    const auto outcome = eflow_says(command);
    BOOST_TEST(outcome.code == 8, outcome.text);
    BOOST_TEST(contains(outcome.text, (newest / "state.h5").string()), outcome.text);
    BOOST_TEST((saved_in(run) == Steps{2, 4}));
  }
  std::filesystem::remove(newest / "state.h5");
  std::filesystem::rename(folder.path() / "away", newest / "state.h5");
  const auto again = eflow_says(words + "8");
  BOOST_TEST(again.code == 0, again.text);
  BOOST_TEST(contains(again.text, "resuming from " + newest.string()), again.text);
}

BOOST_AUTO_TEST_CASE(sampling_survives_pruning) {
  const TemporaryFolder folder;
  const auto run = folder.path() / "run";
  const pid_t pid = start_eflow(kTiny + run.string() +
                                " --train.iterations=1000000 "
                                "--checkpoint.every=1 --checkpoint.keep=1");
  wait_for_lines(run / "metrics.jsonl", 3);
  for (int i = 0; i < 20; ++i) {
    const auto outcome = eflow_says("sample --count 1 --steps 1 --run " + run.string() + " --out " +
                                    (folder.path() / "out").string());
    BOOST_TEST(outcome.code == 0, outcome.text);
  }
  kill(pid, SIGTERM);
  BOOST_TEST(wait_for(pid) == 75);
}

BOOST_AUTO_TEST_CASE(later_stages_notice_that_an_earlier_one_was_trained_on) {
  const TemporaryFolder folder;
  const auto run = folder.path() / "run";
  const auto words = [&](int first, const std::string& more = "") {
    return kTiny + run.string() + " --stage1.train.iterations=" + std::to_string(first) +
           " --stage2.train.iterations=3 --stage3.train.iterations=3 " + more;
  };
  BOOST_REQUIRE(eflow_says(words(4)).code == 0);
  BOOST_TEST(eflow_says(words(4)).code == 0);  // nothing to do
  const auto refused = eflow_says(words(6));
  BOOST_TEST(refused.code == 4, refused.text);
  for (const std::string part : {"stage-2 began from step 4", "trained on to step 6",
                                 "--later-stages redo", "--later-stages keep"})
    BOOST_TEST(contains(refused.text, part), refused.text);
  BOOST_TEST((saved_in(run / "stage-1") == Steps{4}));
  const auto kept = eflow_says(words(6, "--later-stages keep"));
  BOOST_TEST(kept.code == 0, kept.text);
  BOOST_TEST(contains(kept.text, "warning: [stages]"), kept.text);
  BOOST_TEST(saved_in(run / "stage-1").back() == 6);
  const auto changed = eflow_says(words(6));  // stage 1 is finished, but has other weights
  BOOST_TEST(changed.code == 4, changed.text);
  BOOST_TEST(contains(changed.text, "has other weights now, at step 6"), changed.text);
  const auto redone = eflow_says(words(6, "--later-stages redo"));
  BOOST_TEST(redone.code == 0, redone.text);
  for (const char* stage : {"stage-2", "stage-3"}) {
    BOOST_TEST((saved_in(run / stage) == Steps{3}), redone.text);
    BOOST_TEST((saved_in(run / (std::string(stage) + ".set-aside-1")) == Steps{3}), redone.text);
  }
  BOOST_TEST(eflow_says(words(6)).code == 0);
  std::filesystem::remove_all(run / "stage-1");
  BOOST_TEST(eflow_says(words(6)).code == 4);
}
