#define BOOST_TEST_MODULE autograd
#include <boost/test/unit_test.hpp>

#include "eflow/core/base/error.hpp"
#include "eflow/core/tensor/device.hpp"
#include "eflow/core/tensor/ops.hpp"

namespace eflow {
namespace {

using Doubles = std::vector<double>;

Tensor leaf(const Doubles& values) {
  Tensor t = Tensor::from(values, {static_cast<std::int64_t>(values.size())});
  t.set_requires_grad();
  return t;
}

BOOST_AUTO_TEST_CASE(gradients_of_a_reused_leaf_add_up) {
  const Tensor x = leaf({2, 3});
  backward(sum(x * x + x));
  BOOST_TEST(x.grad().to_vector<double>() == (Doubles{5, 7}));
  backward(sum(x * 2.0));
  BOOST_TEST(x.grad().to_vector<double>() == (Doubles{7, 9}));
}

BOOST_AUTO_TEST_CASE(detach_and_no_grad_cut_the_graph) {
  const Tensor x = leaf({2, 3});
  backward(sum(x * x.detach()));
  BOOST_TEST(x.grad().to_vector<double>() == (Doubles{2, 3}));
  const NoGrad off;
  BOOST_TEST(!(x * x).requires_grad());
}

BOOST_AUTO_TEST_CASE(a_graph_runs_backward_once) {
  const Tensor x = leaf({2});
  const Tensor y = sum(x * x);
  backward(y);
  BOOST_CHECK_THROW(backward(y), InvalidArgument);
}

BOOST_AUTO_TEST_CASE(writing_a_saved_tensor_in_place_is_noticed) {
  const Tensor x = leaf({2, 3});
  const Tensor y = sum(x * x);
  x.assign(Tensor::from(Doubles{1, 1}, {2}));
  BOOST_CHECK_THROW(backward(y), InvalidArgument);
}

BOOST_AUTO_TEST_CASE(backward_needs_a_scalar_or_a_seed) {
  const Tensor x = leaf({2, 3});
  BOOST_CHECK_THROW(backward(x * x), ShapeError);
  BOOST_CHECK_THROW(backward(Tensor::zeros({1})), InvalidArgument);
  backward(x * x, Tensor::from(Doubles{1, 10}, {2}));
  BOOST_TEST(x.grad().to_vector<double>() == (Doubles{4, 60}));
}

BOOST_AUTO_TEST_CASE(checkpoint_gives_the_same_gradients_and_keeps_less) {
  const Tensor w = leaf(Doubles(1000, 1.01));
  const auto deep = [&w](const std::vector<Tensor>& in) {
    Tensor h = in[0];
    for (int i = 0; i < 20; ++i) h = tanh(h * w);
    return h;
  };
  const auto run = [&](bool recompute) {
    const Tensor x = leaf(Doubles(1000, 0.5));
    const Tensor y = recompute ? checkpoint(deep, {x}) : deep({x});
    const std::size_t held = default_device()->memory().in_use;
    backward(sum(y));
    std::pair<Doubles, Doubles> grads{x.grad().to_vector<double>(), w.grad().to_vector<double>()};
    w.clear_grad();
    return std::pair{grads, held};
  };
  const auto [plain, plain_held] = run(false);
  const auto [recomputed, recomputed_held] = run(true);
  BOOST_TEST(plain.first == recomputed.first);
  BOOST_TEST(plain.second == recomputed.second);
  BOOST_TEST(recomputed_held < plain_held / 2);
}

BOOST_AUTO_TEST_CASE(a_hundred_thousand_ops_deep_is_fine) {
  const Tensor x = leaf({1});
  {
    Tensor y = x;
    for (int i = 0; i < 100000; ++i) y = y + 1.0;
    backward(sum(y));
  }
  BOOST_TEST(x.grad().item() == 1);
  Tensor dropped = x;  // also freed without recursion if backward() never runs
  for (int i = 0; i < 100000; ++i) dropped = dropped + 1.0;
}

BOOST_AUTO_TEST_CASE(memory_comes_back_after_backward) {
  const Tensor x = leaf(Doubles(100, 1));
  const std::size_t before = default_device()->memory().in_use;
  for (int i = 0; i < 3; ++i) {
    backward(sum(exp(x) * x));
    x.clear_grad();
  }
  BOOST_TEST(default_device()->memory().in_use == before);
}

BOOST_AUTO_TEST_CASE(gradients_leave_grad_alone) {
  const Tensor x = leaf({3}), unused = leaf({1});
  const auto g = gradients(sum(x * x), {x, unused});
  BOOST_TEST(g[0].item() == 6);
  BOOST_TEST(g[1].item() == 0);
  BOOST_TEST(!x.grad().defined());
}

}  // namespace
}  // namespace eflow
