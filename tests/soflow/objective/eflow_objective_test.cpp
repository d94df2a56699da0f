// The full training step: path-drop guidance, dropped tokens and mean-velocity additivity together,
// on a small video network.
#define BOOST_TEST_MODULE eflow_objective
#include <boost/test/unit_test.hpp>
#include <cmath>
#include <numeric>

#include "eflow/core/base/error.hpp"
#include "eflow/core/tensor/ops.hpp"
#include "eflow/nn/dit/video_dit.hpp"
#include "eflow/soflow/objective/interpolant.hpp"
#include "eflow/soflow/objective/objective.hpp"
#include "eflow/tests/support/model_check.hpp"
#include "eflow/tests/support/small_dit.hpp"

namespace eflow::soflow {
namespace {

nn::DiTConfig small() {
  nn::DiTConfig c = test::small_dit(2);
  c.channels = 2, c.dim = c.hidden = 16;
  c.patch = {1, 1, 1};
  c.classes = 3;
  c.guidance_embedding = true;
  return c;
}

std::unique_ptr<nn::VideoDiT> model(unsigned seed) {
  auto made = std::make_unique<nn::VideoDiT>(nn::Scope({.seed = seed}, DType::kF64), small());
  test::perturb(made->parameters(), 0.15);
  return made;
}

Batch batch_of(std::int64_t first, std::int64_t count) {
  Batch batch;
  batch.indices.resize(static_cast<std::size_t>(count));
  std::iota(batch.indices.begin(), batch.indices.end(), first);
  const RandomKey key{.seed = 9, .purpose = 999};
  batch.x0 = random_normal({count, 2, 2, 4, 4}, key, batch.indices, DType::kF64);
  for (const std::int64_t index : batch.indices) batch.labels.push_back(index % 3);
  return batch;
}

/// All features enabled; shares FM 2/4, SCM 1/4, MVA 1/4.
ObjectiveOptions everything() {
  ObjectiveOptions options;
  options.guidance = {.kind = Unconditional::kWeakPath,
                      .scale = 2.5,
                      .scale_max = 4.5,
                      .embed = true,
                      .mix = 0.25,
                      .path_drop = 0.25,
                      .null_label = 3};
  options.mva.pattern = loss_pattern(0.5, 0.25);
  options.drop = {DropKind::kGroups3d, 0.75};
  options.grid = small().grid();
  options.seed = 4;
  return options;
}

/// Records the inputs of each call of a network.
struct Calls {
  struct Call {
    nn::Path path;
    std::vector<std::int64_t> kept, labels;
    std::vector<double> w, t, s;
    bool recorded;
  };
  std::vector<Call> calls;

  Network watch(const nn::VideoDiT& network) {
    return [this, &network](const Tensor& x, const Tensor& t, const Tensor& s,
                            const nn::Condition& c) {
      calls.push_back(
          {c.path,
           c.kept.defined() ? c.kept.to_vector<std::int64_t>() : std::vector<std::int64_t>(),
           c.labels.to_vector<std::int64_t>(),
           c.guidance.defined() ? c.guidance.to_vector<double>() : PerSample(),
           t.to_vector<double>(), s.to_vector<double>(), grad_enabled()});
      return network(x, t, s, c);
    };
  }
};

/// The calls of a step in which all samples are of one group.
struct OneGroup {
  Calls online, average;
  explicit OneGroup(LossGroup group, ObjectiveOptions options = everything()) {
    const bool weak = group == LossGroup::kWeakPath;
    options.pattern = {weak ? LossGroup::kFlowMatching : group};
    options.guidance.path_drop = weak ? 1 : 0;
    options.mva.pattern.clear();
    const auto net = model(1), mean = model(2);
    static_cast<void>(
        EFlowObjective(options)({online.watch(*net), average.watch(*mean)}, batch_of(5, 2), 3));
  }
};

bool is_null(const Calls::Call& call) {
  return call.path == nn::Path::kWeak && call.kept.empty() && call.w.empty() &&
         call.labels == std::vector<std::int64_t>{3, 3} && call.t == call.s;
}

BOOST_AUTO_TEST_CASE(flow_matching_evaluates_the_weak_path_and_then_the_full_network) {
  const auto calls = OneGroup(LossGroup::kFlowMatching).online.calls;
  BOOST_REQUIRE_EQUAL(calls.size(), 2u);
  BOOST_TEST(is_null(calls[0]));
  BOOST_TEST(!calls[0].recorded);
  BOOST_TEST((calls[1].path == nn::Path::kFull));
  BOOST_TEST(calls[1].recorded);
  BOOST_TEST((calls[1].t == calls[1].s));
  BOOST_TEST(calls[1].kept.size() == 2 * 8u);
  BOOST_TEST(calls[1].w.at(0) >= 2.5);
  BOOST_TEST((calls[1].labels == std::vector<std::int64_t>{2, 0}));
}

BOOST_AUTO_TEST_CASE(dropped_paths_train_only_the_weak_path) {
  const auto calls = OneGroup(LossGroup::kWeakPath).online.calls;
  BOOST_REQUIRE_EQUAL(calls.size(), 1u);
  BOOST_TEST(is_null(calls[0]));
  BOOST_TEST(calls[0].recorded);
}

BOOST_AUTO_TEST_CASE(scm_uses_one_mask_one_scale_and_the_current_weights) {
  const OneGroup step(LossGroup::kSolutionConsistency);
  const auto& calls = step.online.calls;
  BOOST_TEST(step.average.calls.empty());
  BOOST_REQUIRE_EQUAL(calls.size(), 4u);  // weak, F(x_t, t, t), F(x_l, l, s), F(x_t, t, s)
  BOOST_TEST(is_null(calls[0]));
  for (std::size_t i = 1; i < 4; ++i) {
    BOOST_TEST((calls[i].kept == calls[1].kept));
    BOOST_TEST((calls[i].w == calls[1].w));
    BOOST_TEST(calls[i].recorded == (i == 3));
  }
  BOOST_TEST((calls[2].s == calls[3].s));
  BOOST_TEST(calls[2].t[0] < calls[3].t[0]);
}

BOOST_AUTO_TEST_CASE(mva_composes_two_jumps_of_the_averaged_weights) {
  const OneGroup step(LossGroup::kMeanVelocityAdditivity);
  const auto &legs = step.average.calls, &jump = step.online.calls;
  BOOST_REQUIRE_EQUAL(legs.size(), 2u);
  BOOST_REQUIRE_EQUAL(jump.size(), 1u);
  BOOST_TEST((legs[0].t == jump[0].t));
  BOOST_TEST((legs[0].s == legs[1].t));
  BOOST_TEST((legs[1].s == jump[0].s));
  BOOST_TEST((legs[0].kept == jump[0].kept && legs[1].kept == jump[0].kept));
  BOOST_TEST((legs[0].w == jump[0].w && legs[1].w == jump[0].w));
  BOOST_TEST((!legs[0].recorded && !legs[1].recorded && jump[0].recorded));
}

/// Samples of all groups share the pass with gradient; the weak path, which has no middle, is another.
BOOST_AUTO_TEST_CASE(groups_evaluate_the_trained_network_together) {
  Calls online, average;
  const auto net = model(1), mean = model(2);
  const StepLoss loss =
      EFlowObjective(everything())({online.watch(*net), average.watch(*mean)}, batch_of(0, 16), 7);
  std::size_t weak = 0;
  for (const SampleRecord& sample : loss.samples()) weak += sample.group == LossGroup::kWeakPath;
  BOOST_REQUIRE(weak > 0);
  const auto& calls = online.calls;
  BOOST_REQUIRE_EQUAL(calls.size(), 5u);       // v_uncond, SCM's F and F_l, students, weak path
  BOOST_TEST(calls[0].t.size() == 12 - weak);  // FM and SCM
  BOOST_TEST((!calls[0].recorded && !calls[1].recorded && !calls[2].recorded));
  const Calls::Call& students = calls[3];
  BOOST_TEST((students.recorded && calls[4].recorded));
  BOOST_TEST(students.t.size() == 16 - weak);
  BOOST_TEST(calls[4].t.size() == weak);
  for (std::size_t i = 0; i < students.t.size(); ++i)
    BOOST_TEST((students.t[i] == students.s[i]) == (i < 8 - weak));  // FM first
  BOOST_TEST(average.calls.size() == 2u);
}

BOOST_AUTO_TEST_CASE(guidance_by_the_null_condition_keeps_the_samples_mask) {
  ObjectiveOptions options = everything();
  options.guidance.kind = Unconditional::kNullCondition;
  const auto calls = OneGroup(LossGroup::kFlowMatching, options).online.calls;
  BOOST_REQUIRE_EQUAL(calls.size(), 2u);
  BOOST_TEST((calls[0].path == nn::Path::kFull));
  BOOST_TEST((calls[0].kept == calls[1].kept));
  BOOST_TEST(calls[0].w.empty());
  BOOST_TEST((calls[0].labels == std::vector<std::int64_t>{3, 3}));
}

BOOST_AUTO_TEST_CASE(all_groups_are_in_a_step_and_micro_batches_add_up) {
  const EFlowObjective objective(everything());
  const auto average = model(2);
  const auto run = [&](const std::vector<std::pair<int, int>>& cuts) {
    const auto net = model(1);
    std::vector<Tensor> all;
    for (const auto& [first, count] : cuts) {
      const StepLoss loss =
          objective({std::cref(*net), std::cref(*average)}, batch_of(first, count), 7, 16);
      backward(loss.total);
    }
    for (const auto& [name, p] : net->parameters()) all.push_back(p.grad());
    return all;
  };
  const auto whole = run({{0, 16}}), cut = run({{0, 3}, {3, 1}, {4, 12}});
  BOOST_REQUIRE_EQUAL(whole.size(), cut.size());
  for (std::size_t i = 0; i < whole.size(); ++i) {
    BOOST_TEST(test::distance(whole[i], cut[i]) < 1e-12);
  }
  const auto net = model(1);
  const auto samples =
      objective({std::cref(*net), std::cref(*average)}, batch_of(0, 16), 7).samples();
  for (const LossGroup group :
       {LossGroup::kFlowMatching, LossGroup::kWeakPath, LossGroup::kSolutionConsistency,
        LossGroup::kMeanVelocityAdditivity}) {
    BOOST_TEST(std::isfinite(mean_loss(samples, group)));
  }
  BOOST_TEST(samples.size() == 16);
}

BOOST_AUTO_TEST_CASE(samples_that_drop_their_path_give_the_middle_no_gradient) {
  ObjectiveOptions options = everything();
  options.mva.pattern.clear();
  options.pattern = {LossGroup::kFlowMatching};
  options.guidance.path_drop = 1;
  const auto net = model(1);
  backward(EFlowObjective(options)(std::cref(*net), batch_of(0, 4), 0).total);
  for (const auto& [name, p] : net->parameters()) {
    const bool untouched = name.starts_with("middle.") || name.starts_with("guidance.in.weight");
    if (name.starts_with("middle.")) BOOST_TEST(!p.grad().defined(), name);
    if (!untouched) BOOST_TEST(p.grad().defined(), name);
  }
}

/// (t - s)(F - F_star) is the semigroup defect f* - f for any network.  [EFlow A.2, Lemma 1]
BOOST_AUTO_TEST_CASE(the_mva_residual_is_the_semigroup_defect) {
  const auto net = model(1);
  const Network F = std::cref(*net);
  const Tensor x = test::values({2, 2, 2, 4, 4}, 3);
  const PerSample t = {0.9, 1}, l = {0.6, 0.4}, s = {0.2, 0};
  const NoGrad off;
  const nn::Condition c;
  const Tensor y = evaluate(F, x, t, l, c), x_l = advance(x, y, t, l);
  const Tensor z = evaluate(F, x_l, l, s, c);
  const Tensor gap = as_factors({0.9 - 0.2, 1}, x);
  const Tensor residual = (evaluate(F, x, t, s, c) - mva_target(y, z, t, l, s)) * gap;
  const Tensor defect = solve(F, solve(F, x, t, l, c), l, s, c) - solve(F, x, t, s, c);
  BOOST_TEST(test::distance(residual, defect) < 1e-13);
  BOOST_TEST(test::distance(solve(F, x, t, t, c), x) == 0);
}

BOOST_AUTO_TEST_CASE(mva_gradients_match_finite_differences) {
  for (const auto weight : {MvaWeight::kVelocity, MvaWeight::kSolution}) {
    ObjectiveOptions options = everything();
    options.weight.p = 0;
    options.mva = {.pattern = {LossGroup::kMeanVelocityAdditivity}, .weight = weight};
    const EFlowObjective objective(options);
    const auto net = model(1), average = model(2);
    const Networks networks{std::cref(*net), std::cref(*average)};
    const auto worst = test::worst_gradient(
        net->parameters(), [&] { return objective(networks, batch_of(0, 2), 1).total; });
    BOOST_TEST(worst.relative() < 1e-6, worst.name);
  }
}

BOOST_AUTO_TEST_CASE(schedules_select_the_groups_and_the_tokens) {
  ObjectiveOptions options = everything();
  options.mva.first_step = 80;
  options.drop_schedule.until = 80;
  BOOST_TEST(share_of(options.pattern_at(79), LossGroup::kMeanVelocityAdditivity) == 0);
  BOOST_TEST(share_of(options.pattern_at(80), LossGroup::kMeanVelocityAdditivity) == 0.25);
  BOOST_TEST(share_of(options.pattern_at(80), LossGroup::kFlowMatching) == 0.5);
  BOOST_TEST(options.kept_at(79) == 8);
  BOOST_TEST(options.kept_at(80) == 32);
}

BOOST_AUTO_TEST_CASE(an_untrained_network_drifts_by_the_full_velocity) {
  const nn::VideoDiT net(nn::Scope({.seed = 1}, DType::kF64), small());  // F = 0
  ObjectiveOptions options;
  options.pattern = {LossGroup::kSolutionConsistency};
  options.guidance.null_label = 3;
  const auto samples = EFlowObjective(options)(std::cref(net), batch_of(0, 4), 0).samples();
  BOOST_TEST(drift_ratio(samples) == 1, boost::test_tools::tolerance(1e-12));
  BOOST_TEST(std::isnan(drift_ratio({})));
}

BOOST_AUTO_TEST_CASE(invalid_options_are_refused) {
  const auto net = model(1);
  ObjectiveOptions options = everything();
  BOOST_CHECK_THROW(static_cast<void>(EFlowObjective(options)(std::cref(*net), batch_of(0, 4), 0)),
                    InvalidArgument);  // no averaged network
  options.grid = {2, 3, 4};
  BOOST_CHECK_THROW(EFlowObjective{options}, InvalidArgument);
  BOOST_CHECK_THROW(static_cast<void>(loss_pattern(0.75, 0.5)), InvalidArgument);
}

/// Distribution matching has a group for its records but is trained by another objective.
BOOST_AUTO_TEST_CASE(patterns_with_distribution_matching_are_refused) {
  const auto net = model(1);
  const auto run = [&](const ObjectiveOptions& options) {
    const Networks networks{std::cref(*net), std::cref(*net)};
    static_cast<void>(EFlowObjective(options)(networks, batch_of(0, 4), 0));
  };
  ObjectiveOptions options = everything();
  options.mva.pattern = {LossGroup::kMeanVelocityAdditivity, LossGroup::kDistributionMatching};
  BOOST_CHECK_THROW(run(options), InvalidArgument);
  options = everything();
  options.pattern = {LossGroup::kFlowMatching, LossGroup::kDistributionMatching};
  BOOST_CHECK_THROW(run(options), InvalidArgument);
  options.pattern = {LossGroup::kFlowMatching, LossGroup::kWeakPath,
                     LossGroup::kSolutionConsistency, LossGroup::kMeanVelocityAdditivity};
  options.mva.pattern.clear();
  BOOST_CHECK_NO_THROW(run(options));
}

}  // namespace
}  // namespace eflow::soflow
