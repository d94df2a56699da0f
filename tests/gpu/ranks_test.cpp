// Ranks on a GPU: NCCL with a single rank, which exchanges messages with itself, and ranks that are
// threads and share the GPU, so their messages pass through host memory.
#define BOOST_TEST_MODULE gpu_ranks
#include <boost/test/unit_test.hpp>
#include <iostream>
#include <numeric>
#include <thread>

#include "eflow/core/comm/local_channel.hpp"
#include "eflow/core/cuda/nccl_link.hpp"
#include "eflow/core/tensor/ops.hpp"
#include "eflow/tests/support/cuda/gpu_or_skip.hpp"
#include "eflow/tests/support/default_device.hpp"
#include "eflow/tests/support/tiny_training.hpp"

using namespace eflow;
using namespace eflow::test;

BOOST_TEST_GLOBAL_FIXTURE(GpuOrSkip);

namespace {

std::span<std::byte> bytes_of(const Tensor& x) {
  return {static_cast<std::byte*>(x.data()),
          static_cast<std::size_t>(x.count()) * size_of(x.dtype())};
}

/// The losses of some steps on ranks that are threads.
std::vector<double> losses_of(const trainer::Config& config, int ranks) {
  std::vector<double> losses;
  comm::run_ranks(
      ranks,
      [&](comm::Communicator& world) {
        TinyTraining training(config, &world);
        for (int n = 0; n < 3; ++n) {
          const double loss = training.run.step().loss;
          if (world.is_first()) losses.push_back(loss);
        }
        world.barrier({"end"});
      },
      std::chrono::minutes(2));
  return losses;
}

}  // namespace

BOOST_AUTO_TEST_CASE(nccl_with_one_rank) {
  comm::Communicator alone;
  const std::string why = comm::why_no_nccl(&alone, gpu());
  if (!why.empty()) {
    std::cout << "nccl_with_one_rank skipped: " << why << '\n';
    return;
  }
  const auto link = comm::connect_nccl(&alone, gpu());
  std::cout << link->name() << '\n';
  constexpr std::int64_t kCount = 1 << 20;
  std::vector<float> values(kCount);
  std::iota(values.begin(), values.end(), 0.0f);
  for (std::uint64_t n = 0; n < 8; ++n) {
    const Tensor x = Tensor::from(values, {kCount}, gpu());
    const Tensor y = Tensor::zeros({kCount}, DType::kF32, gpu());
    add_(x, x);  // the message has the result of earlier work
    const auto exchange = link->exchange({{0, bytes_of(x)}}, {{0, bytes_of(y)}}, {"self"}, n,
                                         std::chrono::seconds(20));
    while (!exchange->start()) {
      const auto failure = link->failure();
      BOOST_REQUIRE_MESSAGE(!failure, failure->reason);
      std::this_thread::yield();
    }
    exchange->join();
    const auto found = y.to_vector<float>();
    for (std::size_t i = 0; i < values.size(); i += 4097) BOOST_REQUIRE(found[i] == 2 * values[i]);
  }
  BOOST_TEST(!link->failure().has_value());
}

// Shards added on two ranks are those of one, bit for bit.
BOOST_AUTO_TEST_CASE(two_ranks_on_one_gpu) {
  const DefaultDevice here(gpu());
  trainer::Config config = TinyTraining::config("f32");
  config.train.shards = 2;
  BOOST_TEST(losses_of(config, 2) == losses_of(config, 1), boost::test_tools::per_element());
}

// A clip divided over two ranks: the losses of one up to rounding, and twice the same bits.
BOOST_AUTO_TEST_CASE(a_clip_divided_over_two_ranks_on_one_gpu) {
  const DefaultDevice here(gpu());
  trainer::Config config = TinyTraining::config("f32");
  config.model.patch = {1, 4, 4};  // two pairs of token frames
  const std::vector<double> one = losses_of(config, 1);
  config.train.sequence = 2;
  const std::vector<double> two = losses_of(config, 2);
  for (std::size_t n = 0; n < one.size(); ++n)
    BOOST_TEST(two[n] == one[n], boost::test_tools::tolerance(5e-3));
  BOOST_TEST(losses_of(config, 2) == two, boost::test_tools::per_element());
}
