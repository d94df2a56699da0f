// A run that diverges: a warning, or its end without a save.
#define BOOST_TEST_MODULE divergence
#include <boost/test/unit_test.hpp>

#include "eflow/core/base/error.hpp"
#include "eflow/io/checkpoint/checkpoint.hpp"
#include "eflow/tests/support/warnings.hpp"
#include "eflow/tests/trainer/temporary_folder.hpp"
#include "eflow/tests/trainer/tiny_run.hpp"
#include "eflow/trainer/run/training_run.hpp"

using namespace eflow;
using namespace eflow::trainer;
namespace fs = std::filesystem;

namespace {

/// A tiny run on an exact flow that learns within 100 steps. It predicts velocities, so that its
/// error starts at that of a network that predicts none.
Config tiny(double lr, std::int64_t steps) {
  Config c = test::tiny_run();
  c.model.prediction = nn::Prediction::kVelocity;
  c.train.batch = 8;
  c.train.iterations = steps;
  c.optim.lr = {.peak = lr, .curve = nn::Curve::kConstant, .warmup = 0};
  c.optim.clip = 0;
  return c;
}

std::vector<std::int64_t> saved_in(const fs::path& run) {
  return io::CheckpointStore(run / "checkpoints").list();
}

}  // namespace

/// The error of the resumed run is compared with what the lines of metrics.jsonl say of the first.
BOOST_AUTO_TEST_CASE(a_run_that_diverges_after_a_resume_is_stopped_or_warned_of) {
  const TemporaryFolder folder;
  const fs::path run = folder.path() / "run";
  const test::Warnings warnings;
  static_cast<void>(run_training(tiny(3e-3, 150), run, "auto", {}));
  BOOST_TEST(warnings.count_with("diverges") == 0);
  Config wild = tiny(0.3, 300);
  wild.train.skip_nonfinite = 1000;  // another policy
  wild.train.on_divergence = OnDivergence::kStop;
  BOOST_CHECK_EXCEPTION(static_cast<void>(run_training(wild, run, "auto", {})), NumericError,
                        [](const NumericError& error) {
                          const std::string text = error.what();
                          return text.find("the run diverges and ends") != std::string::npos &&
                                 text.find("step-00000150") != std::string::npos;
                        });
  BOOST_TEST((saved_in(run) == std::vector<std::int64_t>{150}));
  wild.train.on_divergence = OnDivergence::kWarn;
  BOOST_TEST(run_training(wild, run, "auto", {}).step == 300);
  BOOST_TEST(warnings.count_with("the run diverges: lower optim.lr") >= 1);
}
