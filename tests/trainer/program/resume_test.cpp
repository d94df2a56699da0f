// A run that is killed and resumed equals an uninterrupted one: the same metrics and, bit for bit,
// the same weights.
#define BOOST_TEST_MODULE resume
#include <boost/test/unit_test.hpp>
#include <chrono>
#include <nlohmann/json.hpp>
#include <thread>

#include "eflow/io/checkpoint/checkpoint.hpp"
#include "eflow/tests/trainer/program/program.hpp"
#include "eflow/tests/trainer/temporary_folder.hpp"

using namespace eflow;

namespace {

struct Folder : TemporaryFolder {
  Folder() {
    const auto made = eflow_says("data synth --size 16 --frames 4 --split held-out --out " +
                                 (path() / "set").string());
    BOOST_REQUIRE_MESSAGE(made.code == 0, made.text);
  }
  [[nodiscard]] std::string words(const std::string& run, const std::string& more = "") const {
    return "train --config " EFLOW_CONFIGS "/tiny.ini --data " + (path() / "set").string() +
           " --out " + (path() / run).string() + " --train.iterations=24 --checkpoint.every=6 " +
           more;
  }
  [[nodiscard]] std::filesystem::path metrics(const std::string& run) const {
    return path() / run / "metrics.jsonl";
  }
};

std::filesystem::path checkpoint_of(const std::filesystem::path& run, std::int64_t step) {
  return io::CheckpointStore(run / "checkpoints").path_of(step);
}

std::vector<nlohmann::json> lines_of(const std::filesystem::path& path) {
  std::vector<nlohmann::json> lines;
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) {
    const auto parsed = nlohmann::json::parse(line, nullptr, false);
    if (parsed.is_object()) lines.push_back(parsed);
  }
  return lines;
}

void require_same_metrics(const std::filesystem::path& a, const std::filesystem::path& b) {
  const auto x = lines_of(a), y = lines_of(b);
  BOOST_REQUIRE_EQUAL(x.size(), 24u);
  BOOST_REQUIRE_EQUAL(y.size(), 24u);
  for (std::size_t i = 0; i < x.size(); ++i) {
    BOOST_TEST(x[i].at("step") == static_cast<int>(i + 1));
    for (const char* key : {"step", "loss", "loss_fm", "loss_scm", "fm_mse", "scm_mse", "grad_norm",
                            "lr", "tokens", "kept_tokens", "loss_mva", "weak_mse", "ids_hash"}) {
      BOOST_TEST((x[i].at(key) == y[i].at(key)),
                 "step " << i + 1 << " " << key << ": " << x[i].at(key) << " and " << y[i].at(key));
    }
    BOOST_TEST((x[i].value("eval_mse", -1.0) == y[i].value("eval_mse", -1.0)));
  }
}

void require_same_state(const std::filesystem::path& a, const std::filesystem::path& b) {
  const auto x = io::Checkpoint(checkpoint_of(a, 24)).load(),
             y = io::Checkpoint(checkpoint_of(b, 24)).load();
  BOOST_REQUIRE_EQUAL(x.size(), y.size());
  BOOST_REQUIRE(!x.empty());
  for (std::size_t i = 0; i < x.size(); ++i) {
    BOOST_TEST(x[i].name == y[i].name);
    BOOST_TEST((x[i].bytes == y[i].bytes), x[i].name);
  }
}

/// Waits until the run has written `count` lines of metrics.
void wait_for_lines(const std::filesystem::path& path, std::size_t count) {
  const auto begin = std::chrono::steady_clock::now();
  while (lines_of(path).size() < count) {
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
    BOOST_REQUIRE(std::chrono::steady_clock::now() - begin < std::chrono::minutes(2));
  }
}

}  // namespace

/// Runs `words`, killing it each time its metrics reach the next of several lengths, then to the
/// end.
void kill_often(const std::string& words, const std::filesystem::path& metrics) {
  for (const std::size_t line : {3u, 8u, 13u, 20u}) {
    const pid_t pid = start_eflow(words);
    wait_for_lines(metrics, line);
    kill(pid, SIGKILL);
    wait_for(pid);
  }
  const auto rest = eflow_says(words);
  BOOST_REQUIRE_MESSAGE(rest.code == 0, rest.text);
}

BOOST_AUTO_TEST_CASE(killed_runs_resume_exactly) {
  const Folder folder;
  const auto whole = eflow_says(folder.words("whole"));
  BOOST_REQUIRE_MESSAGE(whole.code == 0, whole.text);
  kill_often(folder.words("killed"), folder.metrics("killed"));
  require_same_metrics(folder.metrics("whole"), folder.metrics("killed"));
  require_same_state(folder.path() / "whole", folder.path() / "killed");
}

/// Each step is saved in the background, so that most kills hit a save, or one that waits for it.
BOOST_AUTO_TEST_CASE(runs_killed_while_they_save_resume_exactly) {
  const Folder folder;
  const std::string often = "--checkpoint.every=1 --eval.every=0 --sample.every=0";
  const auto whole = eflow_says(folder.words("whole", often + " --checkpoint.async=false"));
  BOOST_REQUIRE_MESSAGE(whole.code == 0, whole.text);
  const std::string words = folder.words("killed", often);
  const auto newest = [&] {
    const auto steps = io::CheckpointStore(folder.path() / "killed" / "checkpoints").list();
    return steps.empty() ? 0 : steps.back();
  };
  std::int64_t saved = 0;
  for (int kills = 0; saved < 20; ++kills) {
    const pid_t pid = start_eflow(words);
    const auto begin = std::chrono::steady_clock::now();
    while (newest() <= saved) {
      std::this_thread::sleep_for(std::chrono::microseconds(200));
      BOOST_REQUIRE(std::chrono::steady_clock::now() - begin < std::chrono::minutes(2));
    }
    std::this_thread::sleep_for(std::chrono::microseconds(700 * (kills % 8)));
    kill(pid, SIGKILL);
    wait_for(pid);
    BOOST_TEST(newest() > saved);
    saved = newest();
  }
  const auto rest = eflow_says(words);
  BOOST_REQUIRE_MESSAGE(rest.code == 0, rest.text);
  require_same_metrics(folder.metrics("whole"), folder.metrics("killed"));
  require_same_state(folder.path() / "whole", folder.path() / "killed");
}

/// Masks, scales, dropped paths, jumps and their schedules are functions of the step only.
BOOST_AUTO_TEST_CASE(killed_runs_of_the_whole_recipe_resume_exactly) {
  const Folder folder;
  const std::string recipe =
      "--objective.guidance=2.5 --guidance.kind=weak --guidance.w_max=4.5 --guidance.embed=true "
      "--drop.tokens=groups-3d --drop.until=0.7 --drop.dense_every=5 --mva.share=0.25 "
      "--mva.from=0.4";
  const auto whole = eflow_says(folder.words("whole", recipe));
  BOOST_REQUIRE_MESSAGE(whole.code == 0, whole.text);
  kill_often(folder.words("killed", recipe), folder.metrics("killed"));
  require_same_metrics(folder.metrics("whole"), folder.metrics("killed"));
  require_same_state(folder.path() / "whole", folder.path() / "killed");
  const auto lines = lines_of(folder.metrics("whole"));
  const auto kept = [&](std::size_t step) { return lines.at(step - 1).at("kept_tokens"); };
  BOOST_TEST((kept(4) == 16 && kept(5) == 64 && kept(16) == 16 && kept(18) == 64));
  BOOST_TEST(lines.at(9).at("loss_mva").is_null());
  BOOST_TEST(lines.at(10).at("loss_mva").is_number());
}

/// The learned score and its optimizer are part of the state; the teacher is loaded again.
BOOST_AUTO_TEST_CASE(killed_on_policy_runs_resume_exactly) {
  const Folder folder;
  const std::string teacher = (folder.path() / "teacher").string();
  BOOST_REQUIRE(eflow_says(folder.words("teacher", "--objective.fm_share=1")).code == 0);
  const std::string recipe =
      "--objective.kind=anyflow-on-policy --objective.guidance=2 "
      "--anyflow.rollouts=2,4 --train.accumulation=2 --anyflow.teacher=" +
      teacher + " --train.init_from=" + teacher;
  const auto whole = eflow_says(folder.words("whole", recipe));
  BOOST_REQUIRE_MESSAGE(whole.code == 0, whole.text);
  kill_often(folder.words("killed", recipe), folder.metrics("killed"));
  require_same_metrics(folder.metrics("whole"), folder.metrics("killed"));
  require_same_state(folder.path() / "whole", folder.path() / "killed");
  const auto last = lines_of(folder.metrics("whole")).back();
  BOOST_TEST(last.at("matching_mse").get<double>() > 0);
  BOOST_TEST(last.at("fake_mse").get<double>() > 0);
  const auto lone = eflow_says(folder.words("lone", "--objective.kind=anyflow-on-policy"));
  BOOST_TEST(lone.code == 2);
  BOOST_TEST(lone.text.find("anyflow.teacher: expected a run") != std::string::npos, lone.text);
}

BOOST_AUTO_TEST_CASE(a_signal_saves_and_asks_to_be_run_again) {
  const Folder folder;
  const pid_t pid = start_eflow(folder.words(
      "run", "--checkpoint.every=0 --train.iterations=100000 --sample.every=0 --eval.every=0"));
  wait_for_lines(folder.metrics("run"), 3);
  kill(pid, SIGTERM);
  BOOST_TEST(wait_for(pid) == 75);
  const auto steps = lines_of(folder.metrics("run")).size();
  BOOST_TEST(std::filesystem::exists(
      checkpoint_of(folder.path() / "run", static_cast<std::int64_t>(steps))));
}

BOOST_AUTO_TEST_CASE(two_processes_cannot_write_one_run) {
  const Folder folder;
  const std::string words =
      folder.words("run", "--train.iterations=100000 --sample.every=0 --eval.every=0");
  const pid_t pid = start_eflow(words);
  wait_for_lines(folder.metrics("run"), 1);
  const auto second = eflow_says(words);
  BOOST_TEST(second.code == 8, second.text);
  kill(pid, SIGKILL);
  wait_for(pid);
}

BOOST_AUTO_TEST_CASE(going_back_sets_later_checkpoints_aside) {
  const Folder folder;
  const auto run = folder.path() / "run", aside = run / "checkpoints" / "set-aside-1";
  BOOST_REQUIRE(eflow_says(folder.words("run", "--checkpoint.keep=4")).code == 0);
  const std::string back = "--checkpoint.keep=4 --resume " + checkpoint_of(run, 12).string();
  // Two steps of the new attempt.
  const auto again = eflow_says(folder.words("run", back + " --train.iterations=14"));
  BOOST_REQUIRE_MESSAGE(again.code == 0, again.text);
  BOOST_TEST(again.text.find(aside.string()) != std::string::npos, again.text);
  BOOST_TEST(
      (io::CheckpointStore(run / "checkpoints").list() == std::vector<std::int64_t>{6, 12, 14}));
  BOOST_TEST((io::CheckpointStore(aside).list() == std::vector<std::int64_t>{18, 24}));
  BOOST_TEST(lines_of(aside / "metrics.jsonl").size() == 24u);
  BOOST_TEST(lines_of(folder.metrics("run")).size() == 14u);
}

BOOST_AUTO_TEST_CASE(a_damaged_checkpoint_is_passed_over) {
  const Folder folder;
  BOOST_REQUIRE(eflow_says(folder.words("run", "--checkpoint.keep=3")).code == 0);
  const auto newest = checkpoint_of(folder.path() / "run", 24) / "state.h5";
  BOOST_REQUIRE(std::filesystem::exists(newest));
  std::filesystem::resize_file(newest, std::filesystem::file_size(newest) / 2);
  const auto again = eflow_says(folder.words("run", "--checkpoint.keep=3"));
  BOOST_TEST(again.code == 0, again.text);
  BOOST_TEST(
      again.text.find("resuming from " + checkpoint_of(folder.path() / "run", 18).string()) !=
          std::string::npos,
      again.text);
  BOOST_TEST(lines_of(folder.metrics("run")).size() == 24u);
}

BOOST_AUTO_TEST_CASE(a_full_disk_leaves_what_was_there) {
  const Folder folder;
  const auto run = (folder.path() / "run").string();
  if (std::system("unshare -rm sh -c 'mount -t tmpfs none /mnt' 2>/dev/null") != 0) {
    BOOST_TEST_MESSAGE("skipped: no right to mount a small file system");
    return;
  }
  // A file system of 300 KiB has no room for a checkpoint; one of 12 MiB fills up after a few.
  const auto within = [&](const char* size, const std::string& more, const std::string& before) {
    std::filesystem::create_directories(run);
    const std::string script = "mount -t tmpfs -o size=" + std::string(size) + " none " + run +
                               " && " + before + EFLOW_PROGRAM " " + folder.words("run", more) +
                               " >" + (folder.path() / "log").string() + " 2>&1; code=$?; ls " +
                               run + "/checkpoints >" + (folder.path() / "left").string() +
                               "; exit $code";
    return code_of(std::system(("unshare -rm sh -c '" + script + "'").c_str()));
  };
  BOOST_TEST(within("300k", "", "") == 8, content_of(folder.path() / "log"));
  BOOST_TEST(content_of(folder.path() / "log").find("free") != std::string::npos,
             content_of(folder.path() / "log"));
  const std::string first = checkpoint_of(run, 6).string();
  const std::string fill = "(for i in $(seq 3000); do [ -e " + first +
                           " ] && break; sleep 0.01; done; head -c 64M /dev/zero >" + run +
                           "/filler 2>/dev/null) & ";
  BOOST_TEST(
      within("12m", "--train.iterations=100000 --eval.every=0 --sample.every=0 --optim.warmup=2",
             fill) == 8,
      content_of(folder.path() / "log"));
  BOOST_TEST(content_of(folder.path() / "left").find("step-") != std::string::npos,
             content_of(folder.path() / "log"));
}
