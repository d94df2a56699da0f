// Evaluations and samples that ranks divide: the figures of one rank, and errors that every rank
// learns of.
#define BOOST_TEST_MODULE divided_work
#include "eflow/trainer/ranks/divided_work.hpp"

#include <boost/test/unit_test.hpp>
#include <mutex>

#include "eflow/core/comm/local_channel.hpp"
#include "eflow/core/comm/tree_reduce.hpp"
#include "eflow/tests/support/tiny_training.hpp"
#include "eflow/trainer/run/preview.hpp"
#include "eflow/trainer/step/held_out.hpp"

using namespace eflow;
using namespace eflow::test;
using namespace eflow::trainer;

namespace {

/// What every rank got from body(), which must be the same everywhere.
template <class T>
std::vector<T> agreed(int ranks, const std::function<std::vector<T>(comm::Communicator*)>& body) {
  std::mutex mutex;
  std::vector<std::vector<T>> all;
  comm::run_ranks(ranks, [&](comm::Communicator& world) {
    std::vector<T> mine = body(&world);
    const std::lock_guard lock(mutex);
    all.push_back(std::move(mine));
  });
  for (const std::vector<T>& one : all) BOOST_TEST((one == all[0]), "the ranks' results differ");
  return all.at(0);
}

}  // namespace

// 13 clips: a number that no number of ranks divides, and fewer than 16 ranks.
BOOST_AUTO_TEST_CASE(the_held_out_error_of_any_number_of_ranks) {
  const TinyTraining training;
  const auto errors_on = [&](int ranks) {
    return agreed<double>(ranks, [&](comm::Communicator* world) {
      const HeldOutError held_out(training.source, 13, {}, world->rank(), world->size());
      return divide_work<double>(RankGrid(world, 1), {"held-out error", 1},
                                 [&] { return held_out.errors(std::cref(*training.model)); })
          .values();
    });
  };
  const std::vector<double> one = errors_on(1);
  BOOST_REQUIRE_EQUAL(one.size(), 13U);
  const HeldOutError whole(training.source, 13, {});
  BOOST_TEST(whole.measure(std::cref(*training.model)) == HeldOutError::mean(one));
  for (const int ranks : {2, 3, 5, 16}) BOOST_TEST((errors_on(ranks) == one), ranks << " ranks");
}

BOOST_AUTO_TEST_CASE(the_preview_of_any_number_of_ranks) {
  Config config = TinyTraining::config("f32");
  config.sample.count = 5;
  const TinyTraining training(config);
  DataInfo data;
  data.clips = training.format;
  const auto values_on = [&](int ranks) {
    return agreed<float>(ranks, [&](comm::Communicator* world) {
      const auto own = comm::slice_of(world->rank(), world->size(), config.sample.count);
      return divide_work<float>(RankGrid(world, 1), {"preview", 1},
                                [&] {
                                  return preview_clips(*training.model, config, data, {}, own.first,
                                                       own.count())
                                      .values;
                                })
          .values();
    });
  };
  const std::vector<float> one = values_on(1);
  BOOST_REQUIRE_EQUAL(one.size(), 5U * 3 * 4 * 8 * 8);
  for (const int ranks : {2, 3, 8}) BOOST_TEST((values_on(ranks) == one), ranks << " ranks");
}

BOOST_AUTO_TEST_CASE(a_part_that_fails_is_named_on_every_rank_and_the_ranks_go_on) {
  comm::run_ranks(3, [](comm::Communicator& world) {
    const auto result =
        divide_work<double>(RankGrid(&world, 1), {"figures", 2}, [&]() -> std::vector<double> {
          if (world.rank() == 1) throw IoError("clip 7 cannot be read");
          return {1};
        });
    std::string text;
    try {
      static_cast<void>(result.values());
    } catch (const Error& error) {
      text = error.what();
    }
    if (text != "rank 1: clip 7 cannot be read") throw InvalidArgument("wrong text: " + text);
    world.barrier({"after", 2});
  });
}
