// Steps of ranks that divide clips: those of one rank up to rounding, and the same bits twice. The
// ranks are threads, each with a model and a trainer of its own.
#define BOOST_TEST_MODULE sequence_step
#include <boost/test/unit_test.hpp>
#include <functional>
#include <memory>
#include <mutex>
#include <utility>

#include "eflow/core/comm/local_channel.hpp"
#include "eflow/tests/support/tiny_training.hpp"
#include "eflow/trainer/run/parts.hpp"

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
  config.train.slice_mib = 4.0 / 1024;  // several buckets
  config.drop.kind = soflow::DropKind::kGroups3d;
  config.drop.ratio = 0.75;
  return config;
}

/// The parts of a run on Waves, with a bucket of their first `frames` frames, if any.
struct TinyRun {
  TinyRun(const trainer::Config& config, std::int64_t frames, comm::Communicator* world)
      : grid(world, config.train.sequence), parts(config, clips_with(frames), world) {
    parts.model->divide_clips(grid.lane_ranks());
    parts.average->divide_clips(grid.lane_ranks());
  }
  trainer::RankGrid grid;
  trainer::Parts parts;
  trainer::Trainer& run = parts.trainer;

 private:
  static trainer::Clips clips_with(std::int64_t frames) {
    trainer::Clips clips;
    clips.sets.training = std::make_unique<Waves>();
    clips.sets.info = trainer::describe(*clips.sets.training);
    if (frames == 0) return clips;
    trainer::Bucket bucket{.share = 0.25};
    bucket.cut =
        std::make_unique<trainer::FramesOfSource>(clips.sets.training.get(), frames, false);
    bucket.source = bucket.cut.get();
    clips.buckets.push_back(std::move(bucket));
    return clips;
  }
};

/// A trainer and what owns it.
using Training = std::pair<std::shared_ptr<void>, trainer::Trainer*>;

/// The steps of a training that make(world) returns, on every rank.
Trace train_with(const std::function<Training(comm::Communicator*)>& make, int ranks) {
  std::mutex mutex;
  std::vector<Trace> all(static_cast<std::size_t>(ranks));
  comm::run_ranks(
      ranks,
      [&](comm::Communicator& world) {
        const auto training = make(&world);
        Trace own;
        for (int n = 0; n < 4; ++n) {
          const trainer::StepMetrics m = training.second->step();
          own.losses.push_back(m.loss);
          own.norms.push_back(m.grad_norm);
          own.ids.push_back(m.ids_hash);
        }
        const nn::NamedTensors state = training.second->state();
        for (const auto& [name, tensor] : state) {
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

Trace train(const trainer::Config& config, int ranks) {
  return train_with(
      [&](comm::Communicator* world) -> Training {
        const auto all = std::make_shared<TinyTraining>(config, world);
        return {all, &all->run};
      },
      ranks);
}

/// frames: of the clips of a bucket; 0: no bucket.
Trace train_run(const trainer::Config& config, int ranks, std::int64_t frames = 0) {
  return train_with(
      [&](comm::Communicator* world) -> Training {
        const auto all = std::make_shared<TinyRun>(config, frames, world);
        return {all, &all->run};
      },
      ranks);
}

/// The losses and norms of one rank, up to rounding, for the same clips.
void require_near(const Trace& found, const Trace& one, const std::string& what) {
  BOOST_TEST((found.ids == one.ids), what << ": other clips");
  BOOST_REQUIRE_EQUAL(found.weights.size(), one.weights.size());
  for (std::size_t n = 0; n < one.losses.size(); ++n) {
    BOOST_TEST(std::abs(found.losses[n] / one.losses[n] - 1) < 1e-4, what << ", step " << n + 1);
    BOOST_TEST(std::abs(found.norms[n] / one.norms[n] - 1) < 1e-3, what << ", step " << n + 1);
  }
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

// A quarter of the clips has three frames: a first one and a pair, one for each of two ranks.
BOOST_AUTO_TEST_CASE(buckets_are_divided_too) {
  const auto config = [](std::int64_t sequence) {
    trainer::Config c = config_of(sequence, 4);
    c.model.position_table = false;
    c.drop.kind = soflow::DropKind::kNone;
    return c;
  };
  const Trace one = train_run(config(1), 1, 3);
  const Trace two = train_run(config(2), 2, 3);
  require_near(two, one, "two ranks");
  for (const int ranks : {4, 8}) {
    const Trace other = train_run(config(2), ranks, 3);
    BOOST_TEST((other.losses == two.losses), ranks << " ranks");
    BOOST_TEST((other.weights == two.weights), ranks << " ranks");
  }
  BOOST_TEST((train_run(config(1), 1).losses != one.losses), "the bucket is not used");
  try {  // two frames are one pair
    static_cast<void>(train_run(config(2), 2, 2));
    BOOST_FAIL("no error");
  } catch (const InvalidArgument& error) {
    const std::string text = error.what();
    BOOST_TEST(text.find("data.buckets") != std::string::npos, text);
    BOOST_TEST(text.find("train.sequence is 2") != std::string::npos, text);
  }
}

// Its level is a mean over the points of the step, of which each lane has some.
BOOST_AUTO_TEST_CASE(anyflow_is_divided_too) {
  const auto config = [](std::int64_t sequence, std::int64_t shards) {
    trainer::Config c = config_of(sequence, shards);
    c.objective.kind = trainer::ObjectiveKind::kAnyFlow;
    c.mva.share = 0;
    return c;
  };
  for (const std::int64_t shards : {1, 4}) {
    const Trace one = train_run(config(1, shards), 1);
    const Trace two = train_run(config(2, shards), 2);
    require_near(two, one, str(shards, " shards"));
    for (const int ranks : {4, 8}) {
      if (ranks / 2 > shards) continue;
      const Trace other = train_run(config(2, shards), ranks);
      BOOST_TEST((other.losses == two.losses), ranks << " ranks");
      BOOST_TEST((other.weights == two.weights), ranks << " ranks");
    }
  }
}

BOOST_AUTO_TEST_CASE(lanes_that_do_not_fit_are_refused) {
  BOOST_CHECK_THROW(train(config_of(2, 1), 3), InvalidArgument);
  BOOST_CHECK_THROW(train(config_of(4, 1), 4), InvalidArgument);  // two pairs of frames
}
