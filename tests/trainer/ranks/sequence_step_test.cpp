// Steps of ranks that divide clips: those of one rank up to rounding, and the same bits twice. The
// ranks are threads, each with a model and a trainer of its own.
#define BOOST_TEST_MODULE sequence_step
#include <boost/test/unit_test.hpp>
#include <mutex>

#include "eflow/core/comm/local_channel.hpp"
#include "eflow/tests/support/tiny_training.hpp"

using namespace eflow;
using namespace eflow::test;

namespace {

struct Trace {
  std::vector<double> losses, norms;
  std::vector<std::string> ids;
  std::vector<float> weights;  ///< and averages and moments, of rank 0
};

trainer::Config config_of(std::int64_t sequence, std::int64_t shards) {
  trainer::Config config = TinyTraining::config("f32");
  config.model.patch = {1, 4, 4};  // 4 x 2 x 2 tokens: two pairs of frames
  config.train.batch = 8;
  config.train.shards = shards;
  config.train.sequence = sequence;
  config.drop.kind = soflow::DropKind::kGroups3d;
  config.drop.ratio = 0.75;
  return config;
}

Trace train(const trainer::Config& config, int ranks) {
  Trace trace;
  std::mutex mutex;
  std::vector<Trace> all(static_cast<std::size_t>(ranks));
  comm::run_ranks(
      ranks,
      [&](comm::Communicator& world) {
        TinyTraining training(config, &world);
        Trace own;
        for (int n = 0; n < 4; ++n) {
          const trainer::StepMetrics m = training.run.step();
          own.losses.push_back(m.loss);
          own.norms.push_back(m.grad_norm);
          own.ids.push_back(m.ids_hash);
        }
        for (const auto& [name, tensor] : training.run.state()) {
          const auto values = tensor.to_vector<float>();
          own.weights.insert(own.weights.end(), values.begin(), values.end());
        }
        const std::lock_guard lock(mutex);
        all[static_cast<std::size_t>(world.rank())] = std::move(own);
      },
      std::chrono::seconds(60));
  for (const Trace& other : all) {
    BOOST_TEST((other.losses == all[0].losses), "the ranks' losses differ");
    BOOST_TEST((other.norms == all[0].norms), "the ranks' norms differ");
    BOOST_TEST((other.ids == all[0].ids), "the ranks' clips differ");
  }
  return all[0];
}

}  // namespace

BOOST_AUTO_TEST_CASE(ranks_that_divide_clips_train_as_one_rank_does) {
  for (const std::int64_t shards : {1, 4}) {
    const Trace one = train(config_of(1, shards), 1);
    for (const int ranks : {2, 4, 8}) {
      if (ranks / 2 > shards) continue;
      const Trace divided = train(config_of(2, shards), ranks);
      BOOST_TEST((divided.ids == one.ids));
      BOOST_REQUIRE_EQUAL(divided.weights.size(), one.weights.size());
      for (std::size_t n = 0; n < one.losses.size(); ++n) {
        const std::string where = str(ranks, " ranks, ", shards, " shards, step ", n + 1);
        BOOST_TEST(std::abs(divided.losses[n] / one.losses[n] - 1) < 1e-4, where);
        BOOST_TEST(std::abs(divided.norms[n] / one.norms[n] - 1) < 1e-3, where);
      }
    }
  }
}

// Of lanes of two ranks, their number does not matter to the bits, as without lanes.
BOOST_AUTO_TEST_CASE(the_same_division_of_clips_gives_the_same_bits) {
  const Trace first = train(config_of(2, 4), 4);
  for (const int ranks : {4, 2, 8}) {
    const Trace other = train(config_of(2, 4), ranks);
    BOOST_TEST((other.losses == first.losses), ranks << " ranks");
    BOOST_TEST((other.weights == first.weights), ranks << " ranks");
  }
  // One rank adds in another order, so the test above can fail.
  BOOST_TEST((train(config_of(1, 4), 1).weights != first.weights));
}

BOOST_AUTO_TEST_CASE(lanes_that_do_not_fit_are_refused) {
  BOOST_CHECK_THROW(train(config_of(2, 1), 3), InvalidArgument);
  BOOST_CHECK_THROW(train(config_of(4, 1), 4), InvalidArgument);  // two pairs of frames
}
