// A run on a data set with damaged clips: data.on_error, its counts, and its list.
#define BOOST_TEST_MODULE damaged_clips
#include <boost/test/unit_test.hpp>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "eflow/core/base/error.hpp"
#include "eflow/core/comm/local_channel.hpp"
#include "eflow/io/dataset/dataset.hpp"
#include "eflow/io/dataset/pack.hpp"
#include "eflow/tests/support/tiny_training.hpp"
#include "eflow/tests/support/warnings.hpp"
#include "eflow/tests/trainer/spiked_clips.hpp"
#include "eflow/tests/trainer/temporary_folder.hpp"
#include "eflow/trainer/run/checkpoint.hpp"
#include "eflow/trainer/run/training_run.hpp"

using namespace eflow;
using namespace eflow::trainer;
namespace fs = std::filesystem;

namespace {

void flip_bit(const fs::path& file, std::size_t at) {
  std::fstream stream(file, std::ios::in | std::ios::out | std::ios::binary);
  stream.seekg(static_cast<std::streamoff>(at));
  const char byte = static_cast<char>(stream.get() ^ 1);
  stream.seekp(static_cast<std::streamoff>(at)).put(byte);
}

/// 64 packed clips, of which damage() damages some.
struct Folder : TemporaryFolder {
  Folder() {
    io::PackOptions options;
    options.dtype = DType::kF32;
    static_cast<void>(io::pack_source(test::Waves(), path() / "data", "waves", options));
  }
  /// Flips a bit in the middle of a clip's bytes, or flips it back.
  void flip(std::int64_t clip) const {
    const std::size_t size = fs::file_size(shard());
    for (std::size_t at = size / 128; at < size; at += size / 256) {
      flip_bit(shard(), at);
      const auto faults = io::verify_dataset(path() / "data");
      if (std::any_of(faults.begin(), faults.end(),
                      [&](const io::Fault& fault) { return fault.sample == clip; })) {
        places_[clip] = at;
        return;
      }
      flip_bit(shard(), at);
    }
    BOOST_FAIL("clip " << clip << " not found");
  }
  void flip_back(std::int64_t clip) const { flip_bit(shard(), places_.at(clip)); }
  [[nodiscard]] fs::path shard() const { return path() / "data" / "shard-00000.h5"; }
  [[nodiscard]] fs::path run(const char* name) const { return path() / name; }
  /// 32 steps of 4 clips: two epochs.
  [[nodiscard]] Config config(const std::string& on_error) const {
    Config c = test::spiked_config(path() / "data");
    c.train.iterations = 32;
    c.data.on_error = on_error;
    return c;
  }
  test::Warnings warnings;
  mutable std::map<std::int64_t, std::size_t> places_;
};

std::vector<nlohmann::json> lines_of(const fs::path& path) {
  std::vector<nlohmann::json> lines;
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) lines.push_back(nlohmann::json::parse(line));
  return lines;
}

std::string digest_of(const fs::path& run, std::int64_t step) {
  return open_checkpoint(io::CheckpointStore(run / "checkpoints").path_of(step)).digest();
}

void train_until(const Config& config, const fs::path& run, std::int64_t step) {
  TrainingHooks hooks;
  bool next = false;
  hooks.on_step = [&](const StepMetrics& m) { next = m.step == step - 1; };
  hooks.stop = [&] { return next; };
  BOOST_TEST(run_training(config, run, "auto", hooks).step == step);
}

}  // namespace

BOOST_AUTO_TEST_CASE(damaged_clips_are_replaced_counted_and_listed) {
  const Folder folder;
  const fs::path run = folder.run("run");
  folder.flip(17), folder.flip(40);
  BOOST_TEST(run_training(folder.config("quarantine"), run, "auto", {}).step == 32);
  std::int64_t replaced = 0, damaged = 0;
  for (const auto& line : lines_of(run / "metrics.jsonl")) {
    replaced += line.value("replaced", std::int64_t{0});
    BOOST_TEST(line.value("damaged", std::int64_t{0}) >= damaged);
    damaged = line.value("damaged", std::int64_t{0});
  }
  BOOST_TEST(replaced == 4);  // each in both epochs
  BOOST_TEST(damaged == 2);
  std::set<std::int64_t> clips;
  for (const auto& line : lines_of(run / "quarantine.jsonl")) {
    clips.insert(line["clip"].get<std::int64_t>());
    BOOST_TEST(line["error"].get<std::string>().find("shard-00000.h5") != std::string::npos);
  }
  BOOST_TEST((clips == std::set<std::int64_t>{17, 40}));
}

BOOST_AUTO_TEST_CASE(the_budget_of_skips_is_the_runs) {
  const Folder folder;
  folder.flip(17), folder.flip(40);
  BOOST_CHECK_THROW(
      static_cast<void>(run_training(folder.config("error"), folder.run("a"), "auto", {})),
      CorruptData);
  BOOST_CHECK_EXCEPTION(
      static_cast<void>(run_training(folder.config("skip:1"), folder.run("b"), "auto", {})),
      CorruptData, [](const CorruptData& error) {
        return std::string(error.what()).find("2 damaged clips so far") != std::string::npos;
      });
  // The run saved its last step, and goes on from there with a larger budget.
  BOOST_TEST(run_training(folder.config("skip:2"), folder.run("b"), "auto", {}).step == 32);
  BOOST_TEST(run_training(folder.config("skip:2"), folder.run("c"), "auto", {}).step == 32);
  BOOST_TEST(digest_of(folder.run("b"), 32) == digest_of(folder.run("c"), 32));
}

/// An interrupted run ends in the same bits, even if the data set is repaired in between.
BOOST_AUTO_TEST_CASE(resumed_runs_replace_the_same_clips) {
  const Folder folder;
  const Config config = folder.config("quarantine");
  folder.flip(17), folder.flip(40);
  BOOST_TEST(run_training(config, folder.run("whole"), "auto", {}).step == 32);
  std::int64_t met = 0;  // the step that first has the second of them
  for (const auto& line : lines_of(folder.run("whole") / "quarantine.jsonl"))
    met = std::max(met, line["step"].get<std::int64_t>());
  train_until(config, folder.run("parts"), 2);
  train_until(config, folder.run("parts"), met + 1);
  folder.flip_back(17), folder.flip_back(40);
  BOOST_TEST(io::verify_dataset(folder.path() / "data").empty());
  BOOST_TEST(run_training(config, folder.run("parts"), "auto", {}).step == 32);
  BOOST_TEST(digest_of(folder.run("parts"), 32) == digest_of(folder.run("whole"), 32));
  BOOST_TEST(read_file(folder.run("parts") / "quarantine.jsonl") ==
             read_file(folder.run("whole") / "quarantine.jsonl"));
  // Without the list, the repaired clips are used.
  fs::remove(folder.run("parts") / "quarantine.jsonl");
  Config longer = config;
  longer.train.iterations = 48;
  BOOST_TEST(run_training(longer, folder.run("parts"), "auto", {}).step == 48);
  BOOST_TEST(!lines_of(folder.run("parts") / "metrics.jsonl").back().contains("damaged"));
}

/// Clips that nobody damaged train as without the option.
BOOST_AUTO_TEST_CASE(an_intact_data_set_trains_as_before) {
  const Folder folder;
  BOOST_TEST(run_training(folder.config("error"), folder.run("a"), "auto", {}).step == 32);
  BOOST_TEST(run_training(folder.config("quarantine"), folder.run("b"), "auto", {}).step == 32);
  BOOST_TEST(digest_of(folder.run("a"), 32) == digest_of(folder.run("b"), 32));
  BOOST_TEST(!fs::exists(folder.run("b") / "quarantine.jsonl"));
}

/// Each rank reads its own clips; all of them know what any has found, and stop together.
BOOST_AUTO_TEST_CASE(ranks_share_their_damaged_clips) {
  const Folder folder;
  folder.flip(17), folder.flip(40);
  Config config = folder.config("quarantine");
  config.train.shards = 2;
  BOOST_TEST(run_training(config, folder.run("one"), "auto", {}).step == 32);
  comm::run_ranks(
      2,
      [&](comm::Communicator& world) {
        TrainingHooks hooks;
        hooks.ranks = &world;
        static_cast<void>(run_training(config, folder.run("two"), "auto", hooks));
      },
      std::chrono::seconds(60));
  BOOST_TEST(digest_of(folder.run("two"), 32) == digest_of(folder.run("one"), 32));
  BOOST_TEST(read_file(folder.run("two") / "quarantine.jsonl") ==
             read_file(folder.run("one") / "quarantine.jsonl"));
}
