#define BOOST_TEST_MODULE sampler
#include "eflow/soflow/sampling/sampler.hpp"

#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>
#include <numeric>

#include "eflow/core/base/error.hpp"
#include "eflow/core/tensor/ops.hpp"
#include "eflow/tests/soflow/gaussian_flow.hpp"

namespace eflow::soflow {
namespace {

const test::GaussianFlow kFlow(4);

std::vector<std::int64_t> ids(std::int64_t count) {
  std::vector<std::int64_t> out(static_cast<std::size_t>(count));
  std::iota(out.begin(), out.end(), 10);
  return out;
}

Tensor noise(std::int64_t count) {
  return sample_noise({count, 4}, 3, ids(count), DType::kF64);
}

Tensor run(const SampleOptions& options, std::int64_t count) {
  return sample(kFlow.network(), noise(count), ids(count), {}, options).value();
}

BOOST_AUTO_TEST_CASE(grids_go_from_noise_to_data) {
  BOOST_TEST(time_grid(4, 1) == (std::vector<double>{1, 0.75, 0.5, 0.25, 0}));
  BOOST_TEST(time_grid(2, 3) == (std::vector<double>{1, 0.75, 0}));
  BOOST_CHECK_THROW(static_cast<void>(time_grid(0, 1)), InvalidArgument);
}

BOOST_DATA_TEST_CASE(composition_of_exact_solutions_is_exact_for_any_number_of_steps,
                     boost::unit_test::data::make({1, 2, 4, 7}), steps) {
  const Tensor y = run({.sampler = Sampler::kCompose, .steps = steps, .shift = 3}, 5);
  BOOST_TEST(test::distance(y, kFlow.solution(noise(5), 1, 0)) < 1e-12);
}

BOOST_AUTO_TEST_CASE(one_step_of_re_noising_is_one_solution) {
  const Tensor y = run({.sampler = Sampler::kRenoise, .steps = 1}, 5);
  BOOST_TEST(test::distance(y, kFlow.solution(noise(5), 1, 0)) < 1e-12);
}

BOOST_AUTO_TEST_CASE(euler_steps_converge_to_the_solution) {
  const Tensor exact = kFlow.solution(noise(5), 1, 0);
  const auto error = [&](int steps) {
    return test::distance(run({.sampler = Sampler::kEuler, .steps = steps}, 5), exact);
  };
  BOOST_TEST(error(100) < 0.05);
  BOOST_TEST(error(50) / error(100) == 2, boost::test_tools::tolerance(0.2));
}

/// Compares the means and the variances of all elements with those of the data.
BOOST_DATA_TEST_CASE(re_noising_has_the_marginals_of_the_data, boost::unit_test::data::make({1, 4}),
                     steps) {
  const std::int64_t count = 3000;
  const Tensor y = run({.sampler = Sampler::kRenoise, .steps = steps, .seed = 5}, count);
  const Tensor centred = y - kFlow.mean();
  BOOST_TEST(test::largest(mean(centred, {0})) < 0.06);
  const double total = sum(mean(square(centred), {0})).item();
  const auto& lambda = kFlow.lambda();
  BOOST_TEST(total == std::accumulate(lambda.begin(), lambda.end(), 0.0),
             boost::test_tools::tolerance(0.08));
}

BOOST_AUTO_TEST_CASE(bridges_end_in_re_noising_and_in_composition) {
  const test::GaussianFlow flow(6);
  const std::vector<std::int64_t> ids = {3, 4, 5};
  const Tensor x1 = sample_noise({3, 6}, 1, ids, DType::kF64);
  const auto made = [&](Sampler sampler, double bridge) {
    SampleOptions options{.sampler = sampler, .steps = 4, .seed = 2, .bridge = bridge};
    return *sample(flow.network(), x1, ids, {}, options);
  };
  BOOST_TEST(test::distance(made(Sampler::kBridge, 0), made(Sampler::kRenoise, 0)) < 1e-14);
  BOOST_TEST(test::distance(made(Sampler::kBridge, 1), made(Sampler::kCompose, 0)) < 1e-14);
  BOOST_TEST(test::distance(made(Sampler::kBridge, 0.5), made(Sampler::kCompose, 0)) > 1e-2);
}

BOOST_AUTO_TEST_CASE(guidance_moves_away_from_the_unconditional_velocity) {
  const Network network = [](const Tensor& x, const Tensor&, const Tensor&,
                             const nn::Condition& c) {
    const auto labels = c.labels.to_vector<double>();
    return x * 0.0 + as_factors(labels, x) + (c.path == nn::Path::kWeak ? 100 : 0);
  };
  const Tensor x = Tensor::zeros({2, 3}, DType::kF64), t = Tensor::full({2}, 0.5, DType::kF64);
  nn::Condition condition;
  condition.labels = Tensor::from(std::vector<std::int64_t>{1, 2}, {2});
  const auto at = [&](Unconditional kind) {
    return guided(network, 3, kind, 5)(x, t, t, condition).to_vector<double>();
  };
  BOOST_TEST(at(Unconditional::kNullCondition)[0] == 5 + 3 * (1 - 5));
  BOOST_TEST(at(Unconditional::kWeakPath)[5] == 105 + 3 * (2 - 105));
}

BOOST_AUTO_TEST_CASE(a_sample_does_not_depend_on_its_batch) {
  const SampleOptions options{.steps = 3, .seed = 5};
  const Tensor all = run(options, 6);
  const Tensor some =
      sample(kFlow.network(), contiguous(narrow(noise(6), 0, 2, 3)), {12, 13, 14}, {}, options)
          .value();
  BOOST_TEST(test::distance(some, narrow(all, 0, 2, 3)) == 0);
}

BOOST_AUTO_TEST_CASE(progress_is_reported_and_can_cancel) {
  std::vector<int> reported;
  SampleOptions options{.steps = 4};
  options.progress = [&](int done, int steps) {
    reported.push_back(done);
    BOOST_TEST(steps == 4);
    return done < 2;
  };
  BOOST_TEST(!sample(kFlow.network(), noise(2), ids(2), {}, options).has_value());
  BOOST_TEST(reported == (std::vector<int>{1, 2}));
}

BOOST_AUTO_TEST_CASE(noise_and_ids_must_agree) {
  BOOST_CHECK_THROW(static_cast<void>(sample(kFlow.network(), noise(2), ids(3), {})), ShapeError);
  BOOST_CHECK_THROW(static_cast<void>(sampler_kind("ddim")), InvalidArgument);
  for (const char* name : {"renoise", "compose", "euler"}) {
    BOOST_TEST(name_of(sampler_kind(name)) == name);
  }
}

}  // namespace
}  // namespace eflow::soflow
