#define BOOST_TEST_MODULE optimizer
#include <boost/test/unit_test.hpp>
#include <cmath>

#include "eflow/base/error.hpp"
#include "eflow/nn/adamw.hpp"
#include "eflow/nn/ema.hpp"
#include "eflow/nn/grad_clip.hpp"
#include "eflow/nn/schedule.hpp"

namespace eflow::nn {
namespace {

using Doubles = std::vector<double>;

NamedTensors leaf(const Doubles& values) {
  Tensor t = Tensor::from(values, {static_cast<std::int64_t>(values.size())});
  t.set_requires_grad();
  return {{"p", t}};
}

void set_gradient(const NamedTensors& p, const Doubles& values) {
  Tensor t = p[0].second;
  t.set_grad(Tensor::from(values, t.shape()));
}

BOOST_AUTO_TEST_CASE(adamw_follows_its_formula) {
  const NamedTensors p = leaf({1, -2});
  AdamW optimizer(p, {.beta1 = 0.9, .beta2 = 0.99, .eps = 1e-8, .weight_decay = 0.1});
  Doubles expected = {1, -2}, m = {0, 0}, v = {0, 0};
  for (int step = 1; step <= 3; ++step) {
    const Doubles g = {0.5 * step, -3.0};
    set_gradient(p, g);
    optimizer.step(0.01, 0.5);
    for (std::size_t i = 0; i < 2; ++i) {
      m[i] = 0.9 * m[i] + 0.1 * 0.5 * g[i];
      v[i] = 0.99 * v[i] + 0.01 * 0.25 * g[i] * g[i];
      const double m_hat = m[i] / (1 - std::pow(0.9, step)),
                   v_hat = v[i] / (1 - std::pow(0.99, step));
      expected[i] -= 0.01 * (m_hat / (std::sqrt(v_hat) + 1e-8) + 0.1 * expected[i]);
    }
  }
  const auto found = p[0].second.to_vector<double>();
  for (std::size_t i = 0; i < 2; ++i) {
    BOOST_TEST(found[i] == expected[i], boost::test_tools::tolerance(1e-10));
  }
  BOOST_TEST(optimizer.steps() == 3);
}

BOOST_AUTO_TEST_CASE(a_loaded_state_goes_on_with_the_same_bits) {
  const NamedTensors a = leaf({1, -2}), b = leaf({1, -2});
  AdamW first(a), second(b);
  set_gradient(a, {0.3, 0.1});
  first.step(0.01);
  b[0].second.detach().assign(a[0].second);
  NamedTensors to = second.state(), from = first.state();
  for (std::size_t i = 0; i < to.size(); ++i) {
    BOOST_TEST(to[i].first == from[i].first);
    to[i].second.assign(from[i].second);
  }
  second.set_steps(first.steps());
  set_gradient(a, {-1, 2});
  set_gradient(b, {-1, 2});
  first.step(0.02);
  second.step(0.02);
  BOOST_TEST(a[0].second.to_vector<double>() == b[0].second.to_vector<double>());
}

BOOST_AUTO_TEST_CASE(a_parameter_without_gradient_stays) {
  const NamedTensors p = leaf({1, -2});
  AdamW(p, {.weight_decay = 0.5}).step(0.1);
  BOOST_TEST(p[0].second.to_vector<double>() == (Doubles{1, -2}));
}

BOOST_AUTO_TEST_CASE(ema_warms_up) {
  const EmaOptions options{.decay = 0.999};
  BOOST_TEST(ema_decay(options, 0) == 0.1);
  BOOST_TEST(ema_decay(options, 90) == 0.91);
  BOOST_TEST(ema_decay(options, 1'000'000) == 0.999);
  BOOST_TEST(ema_decay({.decay = 0.999, .warmup = false}, 0) == 0.999);
}

BOOST_AUTO_TEST_CASE(ema_averages_and_is_not_trained) {
  const NamedTensors average = leaf({0, 0}), value = leaf({1, 2});
  Ema ema(average, value, {.decay = 0.5, .warmup = false});
  BOOST_TEST(average[0].second.to_vector<double>() == (Doubles{1, 2}));
  BOOST_TEST(!average[0].second.requires_grad());
  Tensor v = value[0].second;
  v.assign(Tensor::from(Doubles{3, 6}, {2}));
  ema.update();
  BOOST_TEST(average[0].second.to_vector<double>() == (Doubles{2, 4}));
  BOOST_TEST(ema.updates() == 1);
  BOOST_CHECK_THROW(Ema({{"q", average[0].second}}, value), InvalidArgument);
}

BOOST_AUTO_TEST_CASE(the_gradient_s_norm_is_over_all_parameters) {
  NamedTensors p = leaf({0, 0});
  p.push_back(leaf({0})[0]);
  p.push_back(leaf({0})[0]);
  p[0].second.set_grad(Tensor::from(Doubles{3, 0}, {2}));
  p[1].second.set_grad(Tensor::from(Doubles{4}, {1}));
  BOOST_TEST(gradient_norm(p) == 5);
  BOOST_TEST(clip_factor(5, 1) == 0.2);
  BOOST_TEST(clip_factor(0.5, 1) == 1);
  BOOST_TEST(clip_factor(5, 0) == 1);
}

BOOST_AUTO_TEST_CASE(learning_rates_warm_up_and_fall) {
  const LearningRate cosine{
      .peak = 2, .curve = Curve::kCosine, .warmup = 10, .total = 110, .end_fraction = 0.05};
  BOOST_TEST(cosine.at(0) == 0.2);
  BOOST_TEST(cosine.at(9) == 2);
  BOOST_TEST(cosine.at(10) == 2);
  BOOST_TEST(cosine.at(60) == 2 * (0.05 + 0.95 / 2), boost::test_tools::tolerance(1e-12));
  BOOST_TEST(cosine.at(110) == 0.1, boost::test_tools::tolerance(1e-12));
  BOOST_TEST(cosine.at(500) == 0.1, boost::test_tools::tolerance(1e-12));
  const LearningRate linear{.peak = 1, .curve = Curve::kLinear, .warmup = 0, .total = 4};
  BOOST_TEST(linear.at(1) == 0.75);
  const LearningRate constant{.peak = 1, .curve = Curve::kConstant, .warmup = 2, .total = 4};
  BOOST_TEST(constant.at(0) == 0.5);
  BOOST_TEST(constant.at(9) == 1);
  for (const char* name : {"constant", "cosine", "linear"})
    BOOST_TEST(name_of(curve_kind(name)) == name);
  BOOST_CHECK_THROW(static_cast<void>(curve_kind("step")), InvalidArgument);
}

}  // namespace
}  // namespace eflow::nn
