#define BOOST_TEST_MODULE objective
#include "eflow/soflow/objective/objective.hpp"

#include <boost/test/unit_test.hpp>
#include <cmath>
#include <numeric>

#include "eflow/core/base/error.hpp"
#include "eflow/core/tensor/ops.hpp"
#include "eflow/nn/layers/linear.hpp"
#include "eflow/nn/optim/adamw.hpp"
#include "eflow/nn/optim/schedule.hpp"
#include "eflow/soflow/objective/held_out_error.hpp"
#include "eflow/soflow/objective/interpolant.hpp"
#include "eflow/tests/soflow/gaussian_flow.hpp"

namespace eflow::soflow {
namespace {

constexpr std::int64_t kSize = 4;

/// A user-defined network without VideoDiT.
struct Mlp : nn::Module {
  explicit Mlp(const nn::Scope& where) : Module(where) {}
  nn::Linear in{child("in"), kSize + 2, 48}, mid{child("mid"), 48, 48},
      out{child("out"), 48, kSize};

  Tensor operator()(const Tensor& x, const Tensor& t, const Tensor& s, const nn::Condition&) const {
    const std::int64_t batch = x.size(0);
    const Tensor row = concat({x, reshape(t, {batch, 1}), reshape(t - s, {batch, 1})}, 1);
    return out(silu(mid(silu(in(row)))));
  }
};

Batch batch_of(std::int64_t first, std::int64_t count, DType dtype = DType::kF64) {
  Batch batch;
  batch.indices.resize(static_cast<std::size_t>(count));
  std::iota(batch.indices.begin(), batch.indices.end(), first);
  const RandomKey key{.seed = 9, .purpose = 999};
  const Tensor z = random_normal({count, kSize}, key, batch.indices, DType::kF64);
  batch.x0 = cast(test::GaussianFlow(kSize).data(z), dtype);
  return batch;
}

Mlp mlp(DType dtype = DType::kF64) {
  return Mlp(nn::Scope({.seed = 2}, dtype));
}

BOOST_AUTO_TEST_CASE(patterns_hold_their_share) {
  const auto count = [](double share) {
    const auto pattern = loss_pattern(share);
    const auto fm = std::count(pattern.begin(), pattern.end(), LossGroup::kFlowMatching);
    return std::pair(fm, pattern.size());
  };
  BOOST_TEST((count(0.75) == std::pair(3L, 4UL)));
  BOOST_TEST((count(0.5) == std::pair(1L, 2UL)));
  BOOST_TEST((count(1) == std::pair(1L, 1UL)));
  BOOST_TEST((count(0) == std::pair(0L, 1UL)));
  BOOST_TEST((count(0.3) == std::pair(3L, 10UL)));
  BOOST_CHECK_THROW(static_cast<void>(loss_pattern(1.5)), InvalidArgument);
  const auto three = loss_pattern(0.5, 0.3);
  BOOST_TEST(three.size() == 10);
  BOOST_TEST(share_of(three, LossGroup::kFlowMatching) == 0.5);
  BOOST_TEST(share_of(three, LossGroup::kMeanVelocityAdditivity) == 0.3);
  BOOST_TEST(share_of(three, LossGroup::kSolutionConsistency) == 0.2);
}

BOOST_AUTO_TEST_CASE(groups_follow_the_global_index) {
  const EFlowObjective objective({});
  const auto model = mlp();
  const StepLoss loss = objective(std::ref(model), batch_of(6, 8), 0);
  BOOST_TEST(loss.samples().size() == 8);
  for (const SampleRecord& sample : loss.samples()) {
    const LossGroup expected = loss_pattern(0.75)[static_cast<std::size_t>(sample.index % 4)];
    BOOST_TEST((sample.group == expected));
    BOOST_TEST(std::isfinite(sample.loss));
  }
}

BOOST_AUTO_TEST_CASE(the_total_is_the_mean_of_the_recorded_losses) {
  const auto model = mlp();
  const StepLoss loss = EFlowObjective({})(std::ref(model), batch_of(0, 8), 3);
  double sum = 0;
  for (const SampleRecord& sample : loss.samples()) sum += sample.loss;
  BOOST_TEST(loss.total.item() == sum / 8, boost::test_tools::tolerance(1e-12));
  const double fm = mean_loss(loss.samples(), LossGroup::kFlowMatching);
  const double scm = mean_loss(loss.samples(), LossGroup::kSolutionConsistency);
  BOOST_TEST(0.75 * fm + 0.25 * scm == loss.total.item(), boost::test_tools::tolerance(1e-12));
  BOOST_TEST(std::isnan(mean_mse({}, LossGroup::kSolutionConsistency)));
}

/// A step has the same gradients in one batch and in micro-batches of any sizes.
BOOST_AUTO_TEST_CASE(micro_batches_add_up_to_the_step) {
  const EFlowObjective objective({.guidance = {.scale = 2, .mix = 0.5, .label_drop = 0.3}});
  const auto gradients = [&](const std::vector<std::pair<int, int>>& cuts) {
    const auto model = mlp();
    for (const auto& [first, count] : cuts) {
      backward(objective(std::ref(model), batch_of(first, count), 7, 8).total);
    }
    std::vector<Tensor> all;
    for (const auto& [name, p] : model.parameters()) all.push_back(p.grad());
    return all;
  };
  const auto whole = gradients({{0, 8}}), cut = gradients({{0, 3}, {3, 1}, {4, 4}});
  for (std::size_t i = 0; i < whole.size(); ++i) {
    BOOST_TEST(test::distance(whole[i], cut[i]) < 1e-12);
  }
}

BOOST_AUTO_TEST_CASE(a_step_can_be_repeated_and_differs_from_the_next) {
  const EFlowObjective objective({.seed = 4});
  const auto model = mlp();
  const auto at = [&](std::int64_t step) {
    return objective(std::ref(model), batch_of(0, 8), step).total.item();
  };
  BOOST_TEST(at(5) == at(5));
  BOOST_TEST(at(5) != at(6));
}

BOOST_AUTO_TEST_CASE(guidance_costs_forward_passes_only_if_enabled) {
  const auto forwards = [](const GuidanceOptions& guidance) {
    const auto model = mlp();
    int count = 0;
    const Network counting = [&](const Tensor& x, const Tensor& t, const Tensor& s,
                                 const nn::Condition& c) {
      ++count;
      return model(x, t, s, c);
    };
    backward(EFlowObjective({.guidance = guidance})(counting, batch_of(0, 8), 0).total);
    return count;
  };
  BOOST_TEST(forwards({}) == 2);                         // F of both groups, and SCM's F_l
  BOOST_TEST(forwards({.scale = 3}) == 3);               // and the unconditional velocity of both
  BOOST_TEST(forwards({.scale = 3, .mix = 0.25}) == 4);  // and SCM's own F
}

BOOST_AUTO_TEST_CASE(dropped_labels_become_the_null_label) {
  Batch batch = batch_of(0, 64);
  batch.labels.assign(64, 1);
  int null_count = 0, other = 0;
  const auto model = mlp();
  const Network watching = [&](const Tensor& x, const Tensor& t, const Tensor& s,
                               const nn::Condition& c) {
    for (const auto label : c.labels.to_vector<std::int64_t>()) ++(label == 5 ? null_count : other);
    return model(x, t, s, c);
  };
  const EFlowObjective objective(
      {.pattern = loss_pattern(1), .guidance = {.label_drop = 0.25, .null_label = 5}});
  static_cast<void>(objective(watching, batch, 0));
  BOOST_TEST(null_count + other == 64);
  BOOST_TEST(null_count > 5);
  BOOST_TEST(null_count < 30);
}

BOOST_AUTO_TEST_CASE(gradients_match_finite_differences_where_the_target_is_fixed) {
  const auto model = mlp();
  const EFlowObjective objective({.pattern = loss_pattern(1), .weight = {.p = 0}});
  const auto worst = test::worst_gradient(
      model.parameters(), [&] { return objective(std::ref(model), batch_of(0, 4), 1).total; });
  BOOST_TEST(worst.relative() < 1e-6, worst.name);
}

BOOST_AUTO_TEST_CASE(sizes_must_agree) {
  const auto model = mlp();
  Batch batch = batch_of(0, 4);
  batch.labels = {1, 2};
  BOOST_CHECK_THROW(static_cast<void>(EFlowObjective({})(std::ref(model), batch, 0)), ShapeError);
  batch.labels.clear();
  batch.indices.pop_back();
  BOOST_CHECK_THROW(static_cast<void>(EFlowObjective({})(std::ref(model), batch, 0)), ShapeError);
}

/// The lower bound of the FM error: the mean of lambda / sigma_t^2 over times and directions.
BOOST_AUTO_TEST_CASE(the_exact_network_has_the_irreducible_held_out_error) {
  const test::GaussianFlow flow(kSize);
  const Batch batch = batch_of(0, 2000);
  const LogitNormal law;
  const PerSample errors = held_out_error(flow.network(), batch, law, 1);
  const double mean = std::accumulate(errors.begin(), errors.end(), 0.0) / 2000;
  double expected = 0;
  for (const double t : draw_times(law, {.seed = 1, .purpose = 23}, batch.indices)) {
    for (const double lam : flow.lambda()) {
      expected += lam / test::GaussianFlow::variance(lam, t) / kSize / 2000;
    }
  }
  BOOST_TEST(mean == expected, boost::test_tools::tolerance(0.05));
}

/// Mean square of f - f_exact for one jump from near noise to near data, relative to the mean
/// square of the jump. The jump uses the network's F(x, t, s), or its velocity F(x, t, t) if
/// by_velocity.
double step_error(const Mlp& model, bool by_velocity) {
  const NoGrad off;
  const double t = 0.9, s = 0.1;
  const test::GaussianFlow flow(kSize);
  const Batch data = batch_of(1'000'000, 256);
  const Tensor noise = random_normal(data.x0.shape(), {.seed = 77}, data.indices, DType::kF64);
  const PerSample from(256, t), to(256, s);
  const Tensor x = interpolate(data.x0, noise, from), x32 = cast(x, DType::kF32);
  const Tensor F = evaluate(std::cref(model), x32, from, by_velocity ? from : to, {});
  const Tensor found = cast(advance(x32, F, from, to), DType::kF64);
  const Tensor exact = flow.solution(x, t, s);
  return (mean(square(found - exact)) / mean(square(x - exact))).item();
}

/// End to end: from pairs of data and noise, the network learns the jump to the data in one step.
/// The samples have few elements, so their errors are too noisy for adaptive weighting (p = 0).
BOOST_AUTO_TEST_CASE(a_small_network_learns_the_exact_flow_map) {
  const auto model = mlp(DType::kF32);
  nn::AdamW optimizer(model.parameters());
  const int steps = 500, size = 64;
  const EFlowObjective objective({.pattern = loss_pattern(0.5),
                                  .weight = {.p = 0},
                                  .scm_scale = 1,
                                  .times = {.fm_t = {.deviation = 1.5},
                                            .scm_t = {.mean = 2, .deviation = 1.5},
                                            .scm_s = {.mean = -2, .deviation = 1.5}},
                                  .ratio = {.init = 0.3, .end = 0.1, .iterations = steps}});
  const nn::LearningRate rate{.peak = 1e-2,
                              .curve = nn::Curve::kCosine,
                              .warmup = 20,
                              .total = steps,
                              .end_fraction = 0.02};
  for (int k = 0; k < steps; ++k) {
    for (auto [name, p] : model.parameters()) p.clear_grad();
    const Batch batch = batch_of(std::int64_t{k} * size, size, DType::kF32);
    backward(objective(std::cref(model), batch, k).total);
    optimizer.step(rate.at(k));
  }
  const double map = step_error(model, false), velocity = step_error(model, true);
  BOOST_TEST_MESSAGE("one step: error " << map << " by the map, " << velocity
                                        << " by the velocity");
  BOOST_TEST(map < 0.05);
  BOOST_TEST(map < velocity / 10);
}

}  // namespace
}  // namespace eflow::soflow
