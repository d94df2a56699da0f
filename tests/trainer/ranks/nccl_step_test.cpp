// A training step whose ranks exchange device memory, over a stand-in for NCCL and on an emulated
// GPU: the same bits for every number of ranks, and those of messages through host memory.
#define BOOST_TEST_MODULE nccl_step
#include <boost/test/unit_test.hpp>
#include <map>
#include <mutex>

#include "eflow/core/comm/local_channel.hpp"
#include "eflow/core/cuda/nccl_link.hpp"
#include "eflow/core/tensor/device.hpp"
#include "eflow/tests/support/cuda/emulated_gpu.hpp"
#include "eflow/tests/support/cuda/stand_in_nccl/stand_in.hpp"
#include "eflow/tests/support/tiny_training.hpp"

using namespace eflow;
using namespace eflow::test;

namespace {

/// What a step leaves behind.
struct Outcome {
  std::vector<double> losses;
  std::map<std::string, std::vector<float>> state;
};

constexpr double kSlice = 4.0 / 1024;  // several buckets

struct Session {
  EmulatedGpu gpu;
  StandInNccl nccl{EFLOW_STAND_IN_NCCL, &gpu.api()};
  DevicePtr device = [this] {
    jit::Options options = gpu.options();
    options.nccl_library = EFLOW_STAND_IN_NCCL;
    return make_device(options);
  }();
  DefaultDevice here{device};

  Outcome train(const trainer::Config& config, int ranks, bool linked) const {
    Outcome outcome;
    std::mutex mutex;
    comm::run_ranks(
        ranks,
        [&](comm::Communicator& world) {
          if (linked) world.set_device_link(comm::connect_nccl(&world, device));
          std::vector<double> losses;
          nn::NamedTensors state;
          {
            TinyTraining training(config, &world);
            losses.push_back(training.run.step().loss);
            state = training.run.state();
          }
          world.barrier({"end"});
          if (!world.is_first()) return;
          const std::lock_guard lock(mutex);
          outcome.losses = losses;
          for (const auto& [name, tensor] : state) outcome.state[name] = tensor.to_vector<float>();
        },
        std::chrono::minutes(10));
    return outcome;
  }
};

void require_equal(const Outcome& found, const Outcome& expected, const std::string& what) {
  BOOST_TEST(found.losses == expected.losses, what << ": losses");
  BOOST_REQUIRE_EQUAL(found.state.size(), expected.state.size());
  for (const auto& [name, values] : expected.state)
    BOOST_TEST((found.state.at(name) == values), what << ": " << name << " differs");
}

}  // namespace

BOOST_AUTO_TEST_CASE(ranks_are_the_same_run_as_one) {
  const Session session;
  trainer::Config config = TinyTraining::config("f32");
  config.train.batch = 2;  // emulation is slow
  config.train.shards = 2;
  config.train.slice_mib = kSlice;
  const Outcome one = session.train(config, 1, false);
  const NcclCounts before = session.nccl.counts();
  require_equal(session.train(config, 2, true), one, "two ranks");
  BOOST_TEST(session.nccl.counts().messages > before.messages);
  BOOST_TEST(session.nccl.violations() == "");
}

BOOST_AUTO_TEST_CASE(a_clip_divided_over_two_ranks) {
  const Session session;
  trainer::Config config = TinyTraining::config("f32");
  config.train.batch = 2;
  config.model.patch = {1, 4, 4};  // two pairs of token frames
  config.train.sequence = 2;
  config.train.slice_mib = kSlice;
  const Outcome by_host = session.train(config, 2, false);
  const NcclCounts before = session.nccl.counts();
  require_equal(session.train(config, 2, true), by_host, "messages by NCCL");
  BOOST_TEST(session.nccl.counts().messages > before.messages);
  BOOST_TEST(session.nccl.violations() == "");
}
