// `eflow replay`, from a run that the program ended because its loss was not finite.
#define BOOST_TEST_MODULE program_replay
#include <boost/test/unit_test.hpp>

#include "eflow/tests/trainer/program/program.hpp"
#include "eflow/tests/trainer/spiked_clips.hpp"
#include "eflow/tests/trainer/temporary_folder.hpp"

using namespace eflow;

BOOST_AUTO_TEST_CASE(a_failed_run_says_how_to_repeat_its_step) {
  const TemporaryFolder folder;
  test::pack_spiked_clips(folder.path() / "data");
  const std::string run = (folder.path() / "run").string();
  const Outcome trained = eflow_says(
      "train --data " + (folder.path() / "data").string() + " --out " + run +
      " --data.eval=none --model.dim=32 --model.heads=2 --model.encoder=1 --model.middle=1 "
      "--model.decoder=1 --model.patch_t=1 --model.patch_h=2 --model.patch_w=2 --train.batch=4 "
      "--train.iterations=8 --optim.warmup=1 --sample.every=0");
  BOOST_TEST(trained.code == 6, trained.text);
  const auto advice = trained.text.find("eflow replay ");
  BOOST_REQUIRE(advice != std::string::npos);
  const std::string command =
      trained.text.substr(advice + 6, trained.text.find('\n', advice) - advice - 6);
  const Outcome replayed = eflow_says(command);
  BOOST_TEST(replayed.code == 0, replayed.text);
  for (const char* part :
       {"the same bits as recorded", "clip 5: values up to", "first value that is not finite: "})
    BOOST_TEST(replayed.text.find(part) != std::string::npos, replayed.text);
  BOOST_TEST(eflow_says("replay " + run).code == 4);
  BOOST_TEST(eflow_says("replay").code == 2);
}
