// The locale of an application that embeds the trainer reaches nothing that a machine reads: data
// sets, checkpoints, metrics and configurations are the same bytes.
#define BOOST_TEST_MODULE national_locale
#include "eflow/tests/support/national_locale.hpp"

#include <boost/test/unit_test.hpp>
#include <clocale>
#include <nlohmann/json.hpp>
#include <sstream>

#include "eflow/core/base/hash.hpp"
#include "eflow/io/dataset/dataset.hpp"
#include "eflow/tests/support/warnings.hpp"
#include "eflow/tests/trainer/spiked_clips.hpp"
#include "eflow/tests/trainer/temporary_folder.hpp"
#include "eflow/trainer/plan/training_plan.hpp"
#include "eflow/trainer/run/checkpoint.hpp"
#include "eflow/trainer/run/generator.hpp"
#include "eflow/trainer/run/training_run.hpp"

using namespace eflow;
using namespace eflow::trainer;

namespace {

/// Both locales: C++'s with grouping, and C's with a decimal comma if the machine has one.
struct Abroad {
  Abroad() {
    for (const char* name : {"de_DE.UTF-8", "fr_FR.UTF-8"}) {
      if (std::setlocale(LC_ALL, name) != nullptr) return;
    }
  }
  ~Abroad() { std::setlocale(LC_ALL, "C"); }
  test::NationalLocale locale;
};

/// Removes what differs from run to run: times, and rates that follow from them.
std::string without_times(const std::string& lines) {
  std::string text;
  std::istringstream in(lines);
  for (std::string line; std::getline(in, line);) {
    auto object = nlohmann::ordered_json::parse(line);
    for (const char* key : {"samples_per_s", "step_s", "data_wait_s", "mfu"}) object.erase(key);
    text += object.dump() + "\n";
  }
  return text;
}

/// What a pack and a run leave behind, with numbers of four digits and more.
struct Traces {
  explicit Traces(const std::filesystem::path& folder) {
    namespace fs = std::filesystem;
    const fs::path data = fs::path("data"), run = fs::path("run");
    fs::create_directories(folder);
    fs::current_path(folder);
    test::pack_spiked_clips(data);
    for (const auto& entry : fs::directory_iterator(data)) {
      if (entry.is_regular_file() && entry.path().filename() != ".pack.lock")
        files +=
            entry.path().filename().string() + " " + to_hex(hash64(read_file(entry.path()))) + "\n";
    }
    Config config = test::spiked_config(data);
    config.train.iterations = 4;
    config.train.seed = 1234567;
    config.train.skip_nonfinite = 1000;
    config.checkpoint.keep = 1000;
    plan = describe_training(config, run, "auto");
    static_cast<void>(run_training(config, run, "auto", {}));
    ini = read_file(run / "config.ini");
    info = read_file(run / "data.json");
    metrics = without_times(read_file(run / "metrics.jsonl"));
    const io::Checkpoint checkpoint = newest_checkpoint(run);
    digest = checkpoint.digest();
    metadata = checkpoint.metadata();
    fs::current_path("/");
  }
  std::string files, plan, ini, info, metrics, digest, metadata;
};

}  // namespace

BOOST_AUTO_TEST_CASE(everything_that_a_machine_reads_is_the_same) {
  const TemporaryFolder folder;
  const test::Warnings warnings;
  const Traces home(folder.path() / "home");
  BOOST_TEST(home.ini.find("seed = 1234567") != std::string::npos);
  const Abroad abroad;
  const Traces there(folder.path() / "there");
  BOOST_TEST(there.files == home.files);
  BOOST_TEST(there.plan == home.plan);
  BOOST_TEST(there.ini == home.ini);
  BOOST_TEST(there.info == home.info);
  BOOST_TEST(there.metrics == home.metrics);
  BOOST_TEST(there.metadata == home.metadata);
  BOOST_TEST(there.digest == home.digest);
}
