#define BOOST_TEST_MODULE adamw
#include "eflow/nn/optim/adamw.hpp"

#include <boost/test/unit_test.hpp>
#include <cmath>

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

BOOST_AUTO_TEST_CASE(a_loaded_state_continues_bit_for_bit) {
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

BOOST_AUTO_TEST_CASE(a_parameter_without_a_gradient_keeps_its_value) {
  const NamedTensors p = leaf({1, -2});
  AdamW(p, {.weight_decay = 0.5}).step(0.1);
  BOOST_TEST(p[0].second.to_vector<double>() == (Doubles{1, -2}));
}

}  // namespace
}  // namespace eflow::nn
