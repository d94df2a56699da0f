// Given first frames: how many, and that they add nothing to any loss.
#define BOOST_TEST_MODULE given_frames
#include "eflow/soflow/objective/given_frames.hpp"

#include <boost/test/unit_test.hpp>
#include <numeric>

#include "eflow/core/tensor/ops.hpp"
#include "eflow/nn/dit/video_dit.hpp"
#include "eflow/soflow/anyflow/anyflow.hpp"
#include "eflow/soflow/anyflow/on_policy_objective.hpp"
#include "eflow/soflow/objective/objective.hpp"
#include "eflow/soflow/sampling/sampler.hpp"
#include "eflow/tests/support/model_check.hpp"
#include "eflow/tests/support/small_dit.hpp"

namespace eflow::soflow {
namespace {

nn::DiTConfig small() {
  nn::DiTConfig c = test::small_dit(4);
  c.channels = 2, c.dim = c.hidden = 16;
  c.classes = 3;
  return c;
}

std::unique_ptr<nn::VideoDiT> model() {
  auto made = std::make_unique<nn::VideoDiT>(nn::Scope({.seed = 3}, DType::kF64), small());
  test::perturb(made->parameters(), 0.15);
  return made;
}

Batch batch_of(std::int64_t count, std::int64_t frames = 4) {
  Batch batch;
  batch.indices.resize(static_cast<std::size_t>(count));
  std::iota(batch.indices.begin(), batch.indices.end(), 0);
  batch.x0 = random_normal({count, 2, frames, 4, 4}, {.seed = 9, .purpose = 999}, batch.indices,
                           DType::kF64);
  for (const std::int64_t index : batch.indices) batch.labels.push_back(index % 3);
  return batch;
}

constexpr RandomKey kKey{.seed = 3, .purpose = 38, .step = 5};

BOOST_AUTO_TEST_CASE(a_share_of_the_samples_is_given_each_number_of_frames) {
  std::vector<std::int64_t> ids(6000);
  std::iota(ids.begin(), ids.end(), 0);
  std::vector<int> seen(5);
  for (const std::int64_t count : draw_given({.share = 0.4, .most = 3}, kKey, ids, 8))
    ++seen.at(static_cast<std::size_t>(count));
  BOOST_TEST(std::abs(seen[0] - 3600) < 200);
  for (const int count : {1, 2, 3}) BOOST_TEST(std::abs(seen[count] - 800) < 130);
  BOOST_TEST(seen[4] == 0);
  // At least one frame is left to generate; an image has none to give.
  for (const std::int64_t count : draw_given({.share = 1, .most = 9}, kKey, ids, 3))
    BOOST_TEST((count == 1 || count == 2));
  BOOST_TEST(draw_given({.share = 1}, kKey, {1, 2}, 1) == std::vector<std::int64_t>(2, 0));
  BOOST_TEST(draw_given({.share = 0.5, .most = 3}, kKey, {7}, 8)[0] ==
             draw_given({.share = 0.5, .most = 3}, kKey, {4, 7}, 8)[1]);
}

/// With all frames but the last given, a loss depends on nothing but the last frame's output; the
/// mean is over all elements of a sample, so it is a quarter of that frame's own.
BOOST_AUTO_TEST_CASE(given_frames_are_solved_exactly_by_every_loss) {
  const auto net = model();
  const GivenFrames three{.share = 1, .most = 3};
  const Batch batch = batch_of(8);
  int passes = 0;
  // The last frame's velocity is made that of the path, which needs x1: with x at time t and the
  // clip x0, it is (x - x0) / t. Then every loss is zero.
  const Network oracle = [&](const Tensor& x, const Tensor& t, const Tensor& s,
                             const nn::Condition& c) {
    ++passes;
    BOOST_REQUIRE(c.given.defined());
    const Tensor F = (*net)(x, t, s, c);
    const Tensor v = (x - c.given) / reshape(t, {t.size(0), 1, 1, 1, 1});
    const Tensor known = reshape(c.known, {t.size(0), 1, 4, 1, 1});
    BOOST_TEST(test::largest((F - v) * known) < 1e-10);
    return F * known + v * (1 - known);
  };
  ObjectiveOptions options;
  options.given = three;
  options.guidance.null_label = 3;
  options.mva.pattern = loss_pattern(0.5, 0.25);
  options.grid = small().grid();
  const StepLoss eflow = EFlowObjective(options)({.online = oracle, .average = oracle}, batch, 3);
  BOOST_TEST(eflow.total.item() < 1e-12);
  BOOST_TEST(passes == 4);  // SCM at l, two legs of MVA, all samples with gradient
  const StepLoss anyflow =
      AnyFlowObjective({.guidance = 1, .null_label = 3, .given = three})(oracle, batch, 3);
  BOOST_TEST(anyflow.total.item() < 1e-12);
}

BOOST_AUTO_TEST_CASE(given_frames_go_with_token_dropping_and_the_weak_path) {
  const auto net = model();
  ObjectiveOptions options;
  options.given = {.share = 0.5, .most = 2};
  options.guidance = {
      .kind = Unconditional::kWeakPath, .scale = 3, .mix = 0.5, .path_drop = 0.5, .null_label = 3};
  options.drop = {DropKind::kGroups3d, 0.75};
  options.grid = small().grid();
  const EFlowObjective objective(options);
  const StepLoss loss = objective({.online = std::cref(*net), .average = {}}, batch_of(8), 0);
  backward(loss.total);
  for (const auto& [name, p] : net->parameters()) {
    if (name != "classes.table") BOOST_TEST(p.grad().defined(), name);
  }
  BOOST_TEST(std::isfinite(loss.total.item()));
  // Images have no frame to be given.
  const StepLoss images = EFlowObjective({.given = {.share = 1}})(
      {.online = std::cref(*net), .average = {}}, batch_of(4, 1), 0);
  BOOST_TEST(std::isfinite(images.total.item()));
}

BOOST_AUTO_TEST_CASE(rollouts_and_scores_are_given_the_same_frames) {
  const auto net = model();
  const Batch batch = batch_of(4);
  std::vector<std::vector<double>> known;
  const Network watched = [&](const Tensor& x, const Tensor& t, const Tensor& s,
                              const nn::Condition& c) {
    known.push_back(c.known.to_vector<double>());
    return (*net)(x, t, s, c);
  };
  const OnPolicyOptions options{.rollouts = {2}, .given = {.share = 0.5, .most = 3}, .seed = 1};
  const OnPolicyObjective objective(options);
  const RollOut roll = simulated_rollout(watched, options);
  static_cast<void>(objective.student(roll, {watched, watched}, batch, 0));
  static_cast<void>(objective.fake(roll, {watched, watched}, batch, 0));
  BOOST_TEST(known.size() >= 5U);
  for (const auto& each : known) BOOST_TEST(each == known[0], boost::test_tools::per_element());
}

/// Every sampler returns the given frames, and the others follow from them.
BOOST_AUTO_TEST_CASE(samplers_start_from_given_frames) {
  const auto net = model();
  const Tensor x1 = test::values({2, 2, 4, 4, 4}, 1), clip = test::values({2, 2, 4, 4, 4}, 2);
  nn::Condition c;
  c.given = clip;
  c.known = first_frames_known({1, 3}, 4, x1);
  BOOST_TEST(c.known.to_vector<double>() == (std::vector<double>{1, 0, 0, 0, 1, 1, 1, 0}),
             boost::test_tools::per_element());
  for (const Sampler sampler :
       {Sampler::kRenoise, Sampler::kCompose, Sampler::kEuler, Sampler::kBridge}) {
    const SampleOptions options{.sampler = sampler, .steps = 3, .shift = 2};
    const Tensor x = *sample(std::cref(*net), x1, {0, 1}, c, options);
    const auto part = [](const Tensor& t, std::int64_t b, std::int64_t frames) {
      return narrow(narrow(t, 0, b, 1), 2, 0, frames);
    };
    BOOST_TEST(test::distance(part(x, 0, 1), part(clip, 0, 1)) < 1e-12);
    BOOST_TEST(test::distance(part(x, 1, 3), part(clip, 1, 3)) < 1e-12);
    BOOST_TEST(test::distance(part(x, 0, 4), part(clip, 0, 4)) > 1e-3);
    const Tensor free = *sample(std::cref(*net), x1, {0, 1}, {}, options);
    BOOST_TEST(test::distance(narrow(x, 2, 3, 1), narrow(free, 2, 3, 1)) > 1e-6);
  }
}

}  // namespace
}  // namespace eflow::soflow
