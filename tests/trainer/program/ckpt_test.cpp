// `eflow ckpt` and `eflow data verify --list` through the program.
#define BOOST_TEST_MODULE program_ckpt
#include <boost/test/unit_test.hpp>

#include "eflow/io/checkpoint/checkpoint.hpp"
#include "eflow/tests/trainer/program/program.hpp"
#include "eflow/tests/trainer/spiked_clips.hpp"
#include "eflow/tests/trainer/temporary_folder.hpp"

using namespace eflow;
namespace fs = std::filesystem;

namespace {

void says(const Outcome& outcome, int code, const std::string& part) {
  BOOST_TEST(outcome.code == code, outcome.text);
  BOOST_TEST(outcome.text.find(part) != std::string::npos,
             "should say: " << part << "\nsaid: " << outcome.text);
}

void damage(const fs::path& file) {
  std::fstream stream(file, std::ios::in | std::ios::out | std::ios::binary);
  stream.seekp(static_cast<std::streamoff>(fs::file_size(file) / 2)).put('x').put('y').put('z');
}

}  // namespace

BOOST_AUTO_TEST_CASE(checkpoints_are_listed_verified_compared_and_pruned) {
  const TemporaryFolder folder;
  const std::string run = (folder.path() / "run").string();
  const Outcome trained = eflow_says(
      "train --config " EFLOW_CONFIGS
      "/exact-gaussian.ini --train.batch=4 --model.dim=32 --optim.warmup=1 --eval.every=2 "
      "--sample.every=0 --checkpoint.every=1 --checkpoint.keep=9 --train.iterations=4 --out " +
      run);
  BOOST_REQUIRE_MESSAGE(trained.code == 0, trained.text);
  says(eflow_says("ckpt ls " + run), 0, "step 3");
  says(eflow_says("ckpt ls " + run), 0, "held-out error");
  says(eflow_says("ckpt verify " + run), 0, "step-00000004: intact");
  const std::string two = run + "/checkpoints/step-00000002";
  says(eflow_says("ckpt diff " + run + " " + run), 0, " 0 differ");
  says(eflow_says("ckpt diff " + two + " " + run), 0, "step: 2, the other 4");
  says(eflow_says("ckpt prune " + run), 2, "expected --last, --every or --best");
  says(eflow_says("ckpt prune " + run + " --every 2 --dry-run"), 0, "(dry run)");
  says(eflow_says("ckpt prune " + run + " --every 2"), 0, "step-00000002: kept: multiple of 2");
  BOOST_TEST((io::CheckpointStore(run + "/checkpoints").list() == std::vector<std::int64_t>{2, 4}));
  damage(two + "/state.h5");
  says(eflow_says("ckpt verify " + run), 4, "step-00000002: damaged");
  says(eflow_says("ckpt verify " + run + "/checkpoints/step-00000004"), 0, "intact");
  says(eflow_says("ckpt ls " + folder.path().string()), 4, "expected the folder of a run");
  says(eflow_says("ckpt prune " + run + " --last 0"), 2, "last");
}

BOOST_AUTO_TEST_CASE(a_list_of_damaged_clips_is_checked_again) {
  const TemporaryFolder folder;
  const fs::path data = folder.path() / "data", list = folder.path() / "quarantine.jsonl";
  test::pack_spiked_clips(data);
  std::string lines;
  for (int clip = 0; clip < 32; ++clip)
    lines += "{\"data\":\"" + data.string() + "\",\"clip\":" + std::to_string(clip) +
             ",\"part\":\"values\",\"step\":1,\"error\":\"\"}\n";
  std::ofstream(list) << lines;
  const std::string command = "data verify " + data.string() + " --list " + list.string();
  says(eflow_says(command), 0, "0 of 32 listed clips are damaged");
  damage(data / "shard-00000.h5");
  says(eflow_says(command), 3, "1 of 32 listed clips are damaged");
  std::ofstream(list) << "{}\n";
  says(eflow_says(command), 3, "line 1");
}
