// The classifier that judges samples learns its task and survives saving and loading unchanged.
#define BOOST_TEST_MODULE features
#include "eflow/trainer/eval/features.hpp"

#include <boost/test/unit_test.hpp>

#include "eflow/io/dataset/synth.hpp"
#include "eflow/tests/trainer/temporary_folder.hpp"
#include "eflow/trainer/config/exit_code.hpp"

using namespace eflow;
using namespace eflow::trainer;

namespace {

/// Small moving shapes; the held-out clips have colours that the training clips lack.
DataSets shapes() {
  io::SynthOptions options{.frames = 4, .size = 16};
  DataSets data;
  data.training = std::make_unique<io::SynthShapes>(options);
  options.split = io::SynthSplit::kHeldOut;
  data.held_out = std::make_unique<io::SynthShapes>(options);
  data.info = describe(*data.training);
  return data;
}

}  // namespace

BOOST_AUTO_TEST_CASE(learns_and_comes_back_the_same) {
  const DataSets data = shapes();
  double first = 0, last = 0;
  FeatureTraining training{.iterations = 150, .batch = 32};
  training.progress = [&](std::int64_t step, double loss) {
    (step == 1 ? first : last) = loss;
    return true;
  };
  const Features features = Features::train(data, training);
  BOOST_TEST(last < 0.5 * first);
  BOOST_TEST(features.held_out_accuracy() > 0.8);  // chance is 0.11

  const TemporaryFolder folder;
  features.save(folder.path() / "features");
  const Features loaded = Features::load(folder.path() / "features");
  BOOST_TEST(loaded.held_out_accuracy() == features.held_out_accuracy());
  BOOST_TEST(label_name(loaded.data(), 0) == "disc pulse");
  const ClipTable clips = choose_clips(*data.held_out, 40, 3);
  BOOST_TEST(loaded.read(clips.values, clips.shape) == features.read(clips.values, clips.shape),
             boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(what_cannot_be_judged_is_refused) {
  DataSets data = shapes();
  data.held_out.reset();
  BOOST_CHECK_THROW((void)Features::train(data, {.iterations = 1}), DataError);
  const TemporaryFolder folder;
  BOOST_CHECK_THROW((void)Features::load(folder.path()), CheckpointError);
}
