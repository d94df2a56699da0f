// Training on several ranks through mpirun: the same bits as on one, also across kills and other
// numbers of ranks; differing options are refused. Skipped without mpirun or in a build without MPI.
#define BOOST_TEST_MODULE ranks
#include <boost/test/unit_test.hpp>
#include <chrono>
#include <nlohmann/json.hpp>
#include <thread>

#include "eflow/core/comm/mpi_channel.hpp"
#include "eflow/io/checkpoint/checkpoint.hpp"
#include "eflow/tests/trainer/program/program.hpp"
#include "eflow/tests/trainer/temporary_folder.hpp"

using namespace eflow;

namespace {

bool can_launch() {
  return !comm::mpi_version().empty() && std::system("command -v mpirun >/dev/null") == 0;
}

struct Folder : TemporaryFolder {
  Folder() {
    for (const char* name : {"OMPI_ALLOW_RUN_AS_ROOT", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM"})
      setenv(name, "1", 1);
    setenv("OMPI_MCA_rmaps_base_oversubscribe", "1", 1);
    setenv("OMPI_MCA_orte_tmpdir_base", path().c_str(), 1);
    const auto made = eflow_says("data synth --size 16 --frames 4 --split held-out --out " +
                                 (path() / "set").string());
    BOOST_REQUIRE_MESSAGE(made.code == 0, made.text);
  }
  /// The words after `eflow`.
  [[nodiscard]] std::string words(const std::string& run, const std::string& more = "") const {
    return "train --config " EFLOW_CONFIGS "/tiny.ini --data " + (path() / "set").string() +
           " --out " + (path() / run).string() +
           " --train.batch=16 --train.shards=8 --train.iterations=8 --checkpoint.every=2 "
           "--sample.every=8 --eval.every=4 --eval.clips=10 --train.compare_every=3 "
           "--train.slice=0.01 --train.deadline=60 " +
           more;
  }
  /// eflow WORDS on `ranks` ranks.
  [[nodiscard]] Outcome on_ranks(int ranks, const std::string& command) const {
    return eflow_says("launch -n " + std::to_string(ranks) + " --restarts 0 -- " + command);
  }
  [[nodiscard]] std::string weights(const std::string& run, std::int64_t step) const {
    const io::CheckpointStore store(path() / run / "checkpoints");
    return io::Checkpoint(store.path_of(step)).digest();
  }
  [[nodiscard]] std::vector<nlohmann::json> lines(const std::string& run) const {
    std::vector<nlohmann::json> all;
    std::ifstream file(path() / run / "metrics.jsonl");
    for (std::string line; std::getline(file, line);) {
      auto object = nlohmann::json::parse(line);
      for (const char* time :
           {"samples_per_s", "step_s", "data_wait_s", "comm_s", "comm_hidden_s", "mfu"})
        object.erase(time);
      all.push_back(std::move(object));
    }
    return all;
  }
};

}  // namespace

BOOST_AUTO_TEST_CASE(any_number_of_ranks_is_the_same_run) {
  if (!can_launch()) return;
  const Folder folder;
  const auto alone = eflow_says(folder.words("one"));
  BOOST_REQUIRE_MESSAGE(alone.code == 0, alone.text);
  for (const int ranks : {2, 4}) {
    const std::string run = "on-" + std::to_string(ranks);
    const auto outcome = folder.on_ranks(ranks, folder.words(run));
    BOOST_REQUIRE_MESSAGE(outcome.code == 0, outcome.text);
    BOOST_TEST((folder.lines(run) == folder.lines("one")));
    BOOST_TEST(folder.weights(run, 8) == folder.weights("one", 8));
    BOOST_TEST(content_of(folder.path() / run / "samples/step-8.png") ==
               content_of(folder.path() / "one/samples/step-8.png"));
    BOOST_TEST(folder.lines(run).back().contains("eval_mse"));
    BOOST_TEST(content_of(folder.path() / run / "log.rank-1.txt").find("rank 1") !=
               std::string::npos);
  }
}

BOOST_AUTO_TEST_CASE(a_run_moves_to_other_numbers_of_ranks) {
  if (!can_launch()) return;
  const Folder folder;
  const auto alone = eflow_says(folder.words("whole"));
  BOOST_REQUIRE_MESSAGE(alone.code == 0, alone.text);
  // Ranks 4, 2, 1: each killed once it has saved something new. Then 8 to the end.
  std::size_t saved = 0;
  for (const int ranks : {4, 2, 1}) {
    const pid_t job = start_eflow("launch -n " + std::to_string(ranks) + " --restarts 0 -- " +
                                  folder.words("moved", "--checkpoint.keep=100"));
    const io::CheckpointStore store(folder.path() / "moved/checkpoints");
    for (int n = 0; n < 1200 && store.list().size() <= saved; ++n)
      std::this_thread::sleep_for(std::chrono::milliseconds(25));
    saved = store.list().size();
    kill(job, SIGKILL);
    wait_for(job);
    // mpirun ends when its parent does, and then its ranks do; they hold the lock of the folder.
    const std::string lock = (folder.path() / "moved/run.lock").string();
    for (int n = 0; n < 400 && std::system(("flock -n " + lock + " true").c_str()) != 0; ++n)
      std::this_thread::sleep_for(std::chrono::milliseconds(25));
  }
  const auto last = folder.on_ranks(8, folder.words("moved", "--checkpoint.keep=100"));
  BOOST_REQUIRE_MESSAGE(last.code == 0, last.text);
  BOOST_TEST((folder.lines("moved") == folder.lines("whole")));
  BOOST_TEST(folder.weights("moved", 8) == folder.weights("whole", 8));
}

// 4 token frames: two ranks have a pair each. The losses are those of one rank up to rounding, and
// one rank goes on where two stopped.
BOOST_AUTO_TEST_CASE(ranks_divide_clips) {
  if (!can_launch()) return;
  const Folder folder;
  const std::string more =
      " --checkpoint.keep=9 --model.patch_t=1 --drop.tokens=groups-3d --drop.ratio=0.75";
  const auto alone = eflow_says(folder.words("one", more));
  BOOST_REQUIRE_MESSAGE(alone.code == 0, alone.text);
  const auto close = [&](const std::string& run) {
    const auto found = folder.lines(run), expected = folder.lines("one");
    BOOST_REQUIRE_EQUAL(found.size(), expected.size());
    for (std::size_t n = 0; n < found.size(); ++n) {
      for (const char* key : {"loss", "grad_norm", "eval_mse"}) {
        if (!expected[n].contains(key)) continue;
        const double a = found[n].at(key), b = expected[n].at(key);
        BOOST_TEST(std::abs(a / b - 1) < 0.01,
                   run << ", step " << n + 1 << ": " << key << " " << a << " instead of " << b);
      }
      BOOST_TEST((found[n].at("ids_hash") == expected[n].at("ids_hash")));
    }
  };
  for (const int ranks : {2, 4}) {
    const std::string run = "lanes-of-" + std::to_string(ranks);
    const auto outcome = folder.on_ranks(ranks, folder.words(run, more + " --train.sequence=2"));
    BOOST_REQUIRE_MESSAGE(outcome.code == 0, outcome.text);
    close(run);
  }
  BOOST_TEST(folder.weights("lanes-of-2", 8) == folder.weights("lanes-of-4", 8));

  // One rank goes on from step 4 of two.
  std::filesystem::copy(folder.path() / "lanes-of-2", folder.path() / "moved",
                        std::filesystem::copy_options::recursive);
  const std::string from =
      io::CheckpointStore(folder.path() / "moved/checkpoints").path_of(4).string();
  const auto rest = eflow_says(folder.words("moved", more + " --resume " + from));
  BOOST_REQUIRE_MESSAGE(rest.code == 0, rest.text);
  close("moved");

  const auto odd = folder.on_ranks(3, folder.words("odd", more + " --train.sequence=2"));
  BOOST_TEST(odd.code == 2);
  BOOST_TEST(odd.text.find("train.sequence") != std::string::npos, odd.text);
}

BOOST_AUTO_TEST_CASE(other_options_on_one_rank_are_refused) {
  if (!can_launch()) return;
  const Folder folder;
  // A program that gives rank 1 one more word.
  const auto script = folder.path() / "differs.sh";
  std::ofstream(script) << "#!/bin/sh\nif [ \"$OMPI_COMM_WORLD_RANK\" = 1 ]; then\n  exec "
                        << EFLOW_PROGRAM << " \"$@\" --optim.lr=0.5\nfi\nexec " << EFLOW_PROGRAM
                        << " \"$@\"\n";
  std::filesystem::permissions(script, std::filesystem::perms::owner_all);
  const std::string command = "timeout 60 mpirun -n 3 " + script.string() + " " +
                              folder.words("refused") + " >" + (folder.path() / "log").string() +
                              " 2>&1";
  BOOST_TEST(code_of(std::system(command.c_str())) == 2);
  const std::string text = content_of(folder.path() / "log");
  BOOST_TEST(text.find("optim.lr differs between ranks") != std::string::npos, text);
  BOOST_TEST(text.find("rank 1") != std::string::npos, text);
}

BOOST_AUTO_TEST_CASE(ranks_are_planned_without_them) {
  const Folder folder;
  const auto plan =
      eflow_says(folder.words("none", "--dry-run --ranks 8 --network ethernet-10 --tflops 0.05"));
  BOOST_REQUIRE_MESSAGE(plan.code == 0, plan.text);
  for (const char* part : {"8 ranks in 8 lanes of 1", "per rank", "gradients", "over ethernet-10",
                           "0.05 TFLOP/s", "efficiency"})
    BOOST_TEST(plan.text.find(part) != std::string::npos, plan.text);
  BOOST_TEST(eflow_says(folder.words("none", "--ranks 8")).code == 2);
  BOOST_TEST(eflow_says(folder.words("none", "--dry-run --ranks 9")).code == 2);  // 8 shards
  const auto network = eflow_says(folder.words("none", "--dry-run --ranks 8 --network pigeons"));
  BOOST_TEST(network.code == 2);
  BOOST_TEST(network.text.find("infiniband-400") != std::string::npos, network.text);
}

BOOST_AUTO_TEST_CASE(simulated_ranks_train_the_same_run) {
  const Folder folder;
  const auto alone = eflow_says(folder.words("one"));
  BOOST_REQUIRE_MESSAGE(alone.code == 0, alone.text);
  const auto many = eflow_says(folder.words("many", "--ranks-simulated 4"));
  BOOST_REQUIRE_MESSAGE(many.code == 0, many.text);
  BOOST_TEST(many.text.find("4 ranks: sent and received") != std::string::npos, many.text);
  BOOST_TEST((folder.lines("many") == folder.lines("one")));
  BOOST_TEST(folder.weights("many", 8) == folder.weights("one", 8));
}

BOOST_AUTO_TEST_CASE(messages_are_measured) {
  const auto threads = eflow_says("bench comm --mib 1 --json");
  BOOST_REQUIRE_MESSAGE(threads.code == 0, threads.text);
  const auto figures = nlohmann::json::parse(threads.text);
  BOOST_TEST(figures.at("ranks") == 2);
  BOOST_TEST(figures.at("bytes_per_s").get<double>() > 0);
  BOOST_TEST(figures.at("rows").size() >= 5U);
}

BOOST_AUTO_TEST_CASE(launch_explains_itself_and_its_mistakes) {
  BOOST_TEST(eflow_says("launch --help").code == 0);
  BOOST_TEST(eflow_says("launch -- train").code == 2);
  BOOST_TEST(eflow_says("launch -n 2").code == 2);
  const auto missing = eflow_says("launch -n 2 --mpirun no-such-mpirun -- train");
  BOOST_TEST(missing.code == 127);
  BOOST_TEST(missing.text.find("no-such-mpirun") != std::string::npos, missing.text);
  BOOST_TEST(missing.text.find("install Open MPI") != std::string::npos, missing.text);
  BOOST_TEST(missing.text.find("starting again") == std::string::npos, missing.text);
}
