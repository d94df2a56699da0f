// Both stages of AnyFlow on exactly known flows.
#define BOOST_TEST_MODULE anyflow
#include "eflow/soflow/anyflow/anyflow.hpp"

#include <array>
#include <boost/test/unit_test.hpp>
#include <cmath>
#include <numeric>
#include <set>

#include "eflow/core/base/error.hpp"
#include "eflow/core/tensor/ops.hpp"
#include "eflow/nn/dit/video_dit.hpp"
#include "eflow/soflow/anyflow/on_policy.hpp"
#include "eflow/soflow/objective/interpolant.hpp"
#include "eflow/soflow/objective/purpose.hpp"
#include "eflow/tests/soflow/gaussian_flow.hpp"

namespace eflow::soflow {
namespace {

namespace tt = boost::test_tools;

Batch batch_of(std::int64_t first, std::int64_t count) {
  const test::GaussianFlow flow(6);
  Batch batch;
  batch.indices.resize(static_cast<std::size_t>(count));
  std::iota(batch.indices.begin(), batch.indices.end(), first);
  const RandomKey key{.seed = 3, .purpose = 999};
  batch.x0 = flow.data(random_normal({count, 6}, key, batch.indices, DType::kF64));
  return batch;
}

BOOST_AUTO_TEST_CASE(half_of_the_samples_are_points_and_a_quarter_goes_to_the_data) {
  int point = 0, to_data = 0;
  for (int i = 0; i < 64; ++i) {
    point += anyflow_jump(i) == AnyFlowJump::kPoint;
    to_data += anyflow_jump(i) == AnyFlowJump::kToData;
  }
  BOOST_TEST(point == 32);
  BOOST_TEST(to_data == 16);
}

BOOST_AUTO_TEST_CASE(time_weights_have_mean_one) {
  double sum = 0;
  for (int n = 0; n <= 1000; ++n) sum += anyflow_weight(n / 1000.0) / 1001;
  BOOST_TEST(sum == 1, tt::tolerance(1e-12));
  BOOST_TEST(anyflow_weight(0) == 0);
  BOOST_TEST(anyflow_weight(1) == 0);
}

/// Records the times, labels and gradient mode of each call.
struct Calls {
  std::vector<PerSample> t, r;
  std::vector<std::vector<std::int64_t>> labels;
  std::vector<bool> recorded;
  Network network() {
    return [this](const Tensor& x, const Tensor& time, const Tensor& to, const nn::Condition& c) {
      t.push_back(time.to_vector<double>());
      r.push_back(to.to_vector<double>());
      labels.push_back(c.labels.defined() ? c.labels.to_vector<std::int64_t>()
                                          : std::vector<std::int64_t>());
      recorded.push_back(grad_enabled());
      return x * 0.1;
    };
  }
};

BOOST_AUTO_TEST_CASE(a_step_evaluates_the_map_the_null_and_a_central_difference) {
  Calls calls;
  Batch batch = batch_of(0, 8);
  batch.labels.assign(8, 1);
  const AnyFlowObjective objective({.label_drop = 0, .null_label = 4, .seed = 1});
  const StepLoss loss = objective(calls.network(), batch, 5);
  BOOST_REQUIRE(calls.t.size() == 4);
  BOOST_TEST((calls.recorded == std::vector<bool>{true, false, false, false}));
  BOOST_TEST((calls.t[1] == calls.t[0] && calls.r[1] == calls.r[0]));
  BOOST_TEST((calls.labels[1] == std::vector<std::int64_t>(8, 4)));
  BOOST_TEST((calls.labels[2] == calls.labels[0]));
  for (std::size_t i = 0; i < 8; ++i) {
    const double t = calls.t[0][i], r = calls.r[0][i];
    BOOST_TEST(calls.t[2][i] - t == std::min(0.005, 1 - t), tt::tolerance(1e-6));
    BOOST_TEST(t - calls.t[3][i] == std::min(0.005, t), tt::tolerance(1e-6));
    if (i % 2 == 0) BOOST_TEST(r == t);
    if (i % 4 == 1) BOOST_TEST(r == 0);
    BOOST_TEST(r <= t);
    BOOST_TEST((loss.samples()[i].group ==
                (i % 2 == 0 ? LossGroup::kFlowMatching : LossGroup::kSolutionConsistency)));
  }
}

/// The mean velocity of a flow obeys F = v - (t - r) dF/dt along its own velocity. With the
/// marginal velocity as v, the target of the exact network is the network itself.
BOOST_AUTO_TEST_CASE(the_exact_map_is_the_fixed_point_of_its_target) {
  const test::GaussianFlow flow(6);
  const Network F = flow.network();
  const Tensor x = test::values({3, 6}, 5);
  const PerSample t(3, 0.7), r(3, 0.2);
  const Tensor v = flow.velocity(x, 0.7);
  constexpr double kStep = 1e-4;
  const PerSample after(3, 0.7 + kStep), before(3, 0.7 - kStep);
  const Tensor dF_dt = (evaluate(F, advance(x, v, t, after), after, r, {}) -
                        evaluate(F, advance(x, v, t, before), before, r, {})) /
                       (2 * kStep);
  BOOST_TEST(test::distance(evaluate(F, x, t, r, {}), v - dF_dt * 0.5) < 1e-6);
}

BOOST_AUTO_TEST_CASE(gradients_are_those_of_the_weighted_square_towards_a_fixed_target) {
  // F = a x with a scalar a, so the loss has a closed form.
  const Tensor a = Tensor::full({1, 1}, 0.3, DType::kF64);
  a.set_requires_grad();
  const AnyFlowObjective objective({.guidance = 1, .label_drop = 0, .seed = 2});
  const Network net = [&](const Tensor& x, const Tensor&, const Tensor&, const nn::Condition&) {
    return x * a;
  };
  const Batch points = batch_of(0, 1);  // one point, whose target is v
  const StepLoss loss = objective(net, points, 0);
  backward(loss.total);
  Calls calls;
  static_cast<void>(objective(calls.network(), points, 0));
  const PerSample t = calls.t[0];
  const RandomKey noise = objective.options().key(kNoise, 0);
  const Tensor x1 = random_normal({1, 6}, noise, points.indices, DType::kF64);
  const Tensor x_t = interpolate(points.x0, x1, t), error = x_t * 0.3 - (x1 - points.x0);
  const double expected = anyflow_weight(t[0]) * mean(error * x_t).item() * 2;
  BOOST_TEST(a.grad().item() == expected, tt::tolerance(1e-10));
}

/// The level of the loss is taken over the whole step, so that its division into micro-batches
/// changes neither the loss nor its gradient. Guided, with dropped labels.
BOOST_AUTO_TEST_CASE(micro_batches_change_nothing) {
  const Tensor a = Tensor::full({1, 1}, 0.3, DType::kF64);
  a.set_requires_grad();
  const Network net = [&](const Tensor& x, const Tensor&, const Tensor& r, const nn::Condition& c) {
    const auto labels = c.labels.to_vector<std::int64_t>();
    PerSample factors = r.to_vector<double>();
    for (std::size_t i = 0; i < labels.size(); ++i)
      factors[i] += 0.1 * static_cast<double>(labels[i]);
    return x * a * as_factors(factors, x);
  };
  const AnyFlowObjective objective({.label_drop = 0.3, .null_label = 4, .seed = 2});
  const auto part_of = [](std::int64_t first, std::int64_t count) {
    Batch batch = batch_of(first, count);
    for (const std::int64_t index : batch.indices) batch.labels.push_back(index % 4);
    return batch;
  };
  const auto step = [&](std::int64_t accumulation) {
    std::vector<Batch> parts;
    for (std::int64_t i = 0; i < accumulation; ++i)
      parts.push_back(part_of(i * 8 / accumulation, 8 / accumulation));
    std::optional<double> level;
    if (accumulation > 1) level = objective.level(net, parts, 5);
    a.clear_grad();
    double loss = 0;
    for (const Batch& part : parts) {
      const StepLoss one = objective(net, part, 5, 8, level);
      loss += one.total.item();
      backward(one.total);
    }
    return std::array{loss, a.grad().item()};
  };
  const auto [loss, gradient] = step(1);
  for (const std::int64_t accumulation : {2, 4, 8}) {
    const auto [loss_now, gradient_now] = step(accumulation);
    BOOST_TEST(loss_now == loss, tt::tolerance(1e-12));
    BOOST_TEST(gradient_now == gradient, tt::tolerance(1e-12));
  }
  BOOST_TEST(!objective.level(net, {part_of(1, 1)}, 5).has_value());  // no point
}

// ---- on-policy ----------------------------------------------------------------------------------

BOOST_AUTO_TEST_CASE(rollouts_have_at_most_three_jumps) {
  BOOST_TEST((backward_simulation_times(1, 0, 5) == std::vector<double>{1, 0}));
  BOOST_TEST((backward_simulation_times(4, 0, 1) == std::vector<double>{1, 0.75, 0}));
  BOOST_TEST((backward_simulation_times(4, 1, 1) == std::vector<double>{1, 0.75, 0.5, 0}));
  BOOST_TEST((backward_simulation_times(4, 3, 1) == std::vector<double>{1, 0.25, 0}));
  BOOST_CHECK_THROW(static_cast<void>(backward_simulation_times(4, 4, 1)), InvalidArgument);
}

BOOST_AUTO_TEST_CASE(with_the_exact_map_all_rollouts_have_the_same_endpoint) {
  const test::GaussianFlow flow(6);
  const Tensor x1 = test::values({3, 6}, 8, 1.5), end = flow.solution(x1, 1, 0);
  for (const int n : {1, 2, 5, 16}) {
    for (int k = 0; k < n; ++k) {
      const auto times = backward_simulation_times(n, k, 5);
      BOOST_TEST(test::distance(roll_out(flow.network(), x1, times, {}), end) < 1e-12);
    }
  }
}

BOOST_AUTO_TEST_CASE(simulated_steps_are_all_drawn_and_repeatable) {
  std::set<std::pair<int, int>> seen;
  for (std::uint64_t step = 0; step < 300; ++step) {
    const RandomKey key{.seed = 1, .purpose = 7, .step = step};
    const auto [n, k] = draw_simulated_step({2, 4}, key);
    const SimulatedStep again = draw_simulated_step({2, 4}, key);
    BOOST_TEST((again.n == n && again.k == k));
    seen.insert({n, k});
  }
  BOOST_TEST(seen.size() == 6);
}

/// Student N(0, a2), data N(0, b2), both scores exact: E[x_0 | x_t] is linear in x_t.
BOOST_AUTO_TEST_CASE(the_matching_gradient_of_two_gaussians_has_its_closed_form) {
  const double a2 = 2, b2 = 0.5, t = 0.4;
  const auto keep = [&](double variance) {
    return (1 - t) * variance / ((1 - t) * (1 - t) * variance + t * t);
  };
  const auto score = [&](double variance) -> Network {
    return [=](const Tensor& x, const Tensor&, const Tensor&, const nn::Condition&) {
      return x * ((1 - keep(variance)) / t);
    };
  };
  const Tensor x = test::values({2, 5}, 3), x_t = test::values({2, 5}, 4);
  const PerSample times(2, t);
  const Tensor fake = data_of(score(a2), x_t, times, {}), real = data_of(score(b2), x_t, times, {});
  const Tensor g = matching_gradient(x, fake, real);
  const auto x_at = x.to_vector<double>(), point = x_t.to_vector<double>();
  const auto found = g.to_vector<double>();
  for (std::size_t i = 0; i < 2; ++i) {
    double size = 0;
    for (std::size_t j = 0; j < 5; ++j)
      size += std::abs(x_at[5 * i + j] - keep(b2) * point[5 * i + j]) / 5;
    for (std::size_t j = 0; j < 5; ++j) {
      const double expected = (keep(a2) - keep(b2)) * point[5 * i + j] / size;
      BOOST_TEST(std::abs(found[5 * i + j] - expected) < 1e-12);
    }
  }
  BOOST_TEST(test::largest(matching_gradient(x, real, real)) == 0);
  BOOST_TEST(test::largest(matching_gradient(real, fake, real)) == 0);  // 0 / 0 becomes 0
}

BOOST_AUTO_TEST_CASE(the_matching_loss_has_that_gradient) {
  const Tensor x = test::values({2, 5}, 3), g = test::values({2, 5}, 4);
  x.set_requires_grad();
  backward(matching_loss(x, g));
  BOOST_TEST(test::distance(x.grad(), g * (2.0 / 10)) < 1e-14);
}

BOOST_AUTO_TEST_CASE(rollouts_are_differentiated_through_every_jump) {
  const Tensor a = Tensor::full({1, 1}, 0.3, DType::kF64);
  a.set_requires_grad();
  const Network net = [&](const Tensor& x, const Tensor&, const Tensor&, const nn::Condition&) {
    return x * a;
  };
  const Tensor x1 = test::values({1, 4}, 3);
  const auto loss = [&] { return sum(roll_out(net, x1, {1, 0.6, 0.5, 0}, {})); };
  backward(loss());
  const double lengths[] = {0.4, 0.1, 0.5};
  double product = sum(x1).item(), slope = 0;
  for (const double d : lengths) {
    slope += -d / (1 - 0.3 * d);
    product *= 1 - 0.3 * d;
  }
  BOOST_TEST(a.grad().item() == product * slope, tt::tolerance(1e-12));
}

}  // namespace
}  // namespace eflow::soflow
