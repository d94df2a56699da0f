// Plans for ranks: figures that follow from the tables of docs/distributed.md, and requests that
// make no sense.
#define BOOST_TEST_MODULE rank_plan
#include "eflow/trainer/plan/rank_plan.hpp"

#include <boost/test/unit_test.hpp>

#include "eflow/core/base/error.hpp"

using namespace eflow;
using namespace eflow::trainer;

namespace {

nn::DiTConfig model() {
  nn::DiTConfig c;  // 4 x 4 x 4 tokens, two frames of window, 6 blocks of width 192
  c.frames = 8;
  c.height = c.width = 32;
  c.patch = {2, 8, 8};
  c.prediction = nn::Prediction::kData;
  return c;
}

RankPlanInput input(int ranks, int sequence = 1) {
  RankPlanInput in;
  in.ranks = ranks;
  in.sequence = sequence;
  in.batch = 128;
  in.step_flops = 1e15;
  in.flops_per_s = 1e13;
  in.activations = 8e9;
  in.network = {"test", 1e9, 1e-5};
  return in;
}

}  // namespace

BOOST_AUTO_TEST_CASE(one_rank_sends_nothing_and_holds_everything) {
  const auto values = static_cast<double>(nn::parameter_count(model()));
  const RankPlan plan = plan_ranks(model(), input(1));
  BOOST_TEST(plan.bytes() == 0);
  BOOST_TEST(plan.state == 16 * values);
  BOOST_TEST(plan.gradients == 4 * values);
  BOOST_TEST(plan.activations == 8e9);
  BOOST_TEST(plan.step_s() == 100);
  BOOST_TEST(plan.efficiency() == 1);
}

BOOST_AUTO_TEST_CASE(moments_are_divided_and_slices_sent) {
  const auto values = static_cast<double>(nn::parameter_count(model()));
  RankPlanInput in = input(8);
  in.shards = 32;  // four per rank: at most three gradients at a time
  in.average_each_step = true;
  const RankPlan plan = plan_ranks(model(), in);
  BOOST_TEST(plan.state == 8 * values + values);
  BOOST_TEST(plan.gradients == 3 * 4 * values);
  BOOST_TEST(plan.gradient_bytes == 4 * values * 7 / 8);
  BOOST_TEST(plan.weight_bytes == 8 * values * 7 / 8);
  BOOST_TEST(plan.attention_bytes == 0);
  BOOST_TEST(plan.compute_s == 12.5);
  BOOST_TEST(plan.network_s == (plan.bytes() / 1e9 + 7 * 6 * 1e-5));

  in.compute_bytes = 2;  // the matrices of the blocks travel as bf16
  const RankPlan half = plan_ranks(model(), in);
  BOOST_TEST(half.gradient_bytes == plan.gradient_bytes);
  BOOST_TEST(half.weight_bytes < 0.65 * plan.weight_bytes);
  BOOST_TEST(half.weight_bytes > 0.5 * plan.weight_bytes);
  BOOST_TEST(half.messages == plan.messages + 14);
}

// Per block and clip: the window is 16 tokens to each side, and the others of a pair have 32, so a
// rank sends min(4 D R, 2 D n) numbers, and the state 2 D d / 2.
BOOST_AUTO_TEST_CASE(lanes_divide_activations_and_send_keys) {
  const RankPlan plan = plan_ranks(model(), input(8, 2));
  BOOST_TEST(plan.activations == 4e9);
  const double window = 4.0 * 192 * 16 * 4, state = 192.0 * 64 * 4;
  const double walks = 2, blocks = 6, clips = 32;
  BOOST_TEST(model().window_radius() == 16);
  BOOST_TEST(plan.attention_bytes == clips * walks * blocks * (window + state));
  // A longer clip costs the window's ranks nothing more.
  nn::DiTConfig longer = model();
  longer.frames = 16;
  BOOST_TEST(plan_ranks(longer, input(8, 2)).attention_bytes == plan.attention_bytes);
  longer.attention = nn::AttentionKind::kSoftmax;
  nn::DiTConfig full = model();
  full.attention = nn::AttentionKind::kSoftmax;
  BOOST_TEST(plan_ranks(longer, input(8, 2)).attention_bytes ==
             2 * plan_ranks(full, input(8, 2)).attention_bytes);
}

BOOST_AUTO_TEST_CASE(ranks_that_do_not_fit_are_refused) {
  BOOST_CHECK_THROW(static_cast<void>(plan_ranks(model(), input(6, 4))), InvalidArgument);
  BOOST_CHECK_THROW(static_cast<void>(plan_ranks(model(), input(8, 4))),
                    InvalidArgument);  // two pairs of frames
  BOOST_CHECK_THROW(static_cast<void>(plan_ranks(model(), input(256))),
                    InvalidArgument);  // 128 clips
  RankPlanInput few = input(8);
  few.shards = 4;
  BOOST_CHECK_THROW(static_cast<void>(plan_ranks(model(), few)), InvalidArgument);
}

BOOST_AUTO_TEST_CASE(networks_by_name_or_by_figures) {
  BOOST_TEST(network_of("ethernet-10").bytes_per_s == 1.25e9);
  const NetworkRate measured = network_of("12.5,30");
  BOOST_TEST(measured.bytes_per_s == 12.5e9);
  BOOST_TEST(std::abs(measured.latency_s - 30e-6) < 1e-12);
  for (const char* wrong : {"ethernet", "12.5", "-1,3", "12.5,30x", ""}) {
    BOOST_CHECK_EXCEPTION(
        static_cast<void>(network_of(wrong)), InvalidArgument, [](const InvalidArgument& error) {
          return std::string(error.what()).find("infiniband-400") != std::string::npos;
        });
  }
}

BOOST_AUTO_TEST_CASE(the_description_names_every_term) {
  const std::string text = describe_ranks(model(), input(8, 2));
  for (const char* part : {"8 ranks in 4 lanes of 2", "of activations", "attention about",
                           "efficiency", "TFLOP/s", "over test"})
    BOOST_TEST(text.find(part) != std::string::npos, text);
}
