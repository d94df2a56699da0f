#define BOOST_TEST_MODULE autograd
#include <algorithm>
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

/// The gradients of some leaves when they were called complete, in that order.
struct Completed {
  std::vector<std::size_t> order;
  std::vector<Doubles> gradients;

  Completed(const Tensor& output, const std::vector<Tensor>& leaves) {
    backward(output, {}, [&](const Tensor& leaf) {
      const auto at = std::find_if(leaves.begin(), leaves.end(),
                                   [&](const Tensor& each) { return each.is(leaf); });
      order.push_back(static_cast<std::size_t>(at - leaves.begin()));
      gradients.push_back(leaf.grad().defined() ? leaf.grad().to_vector<double>() : Doubles());
    });
  }
};

BOOST_AUTO_TEST_CASE(a_leaf_is_complete_after_its_last_use) {
  const Tensor a = leaf({2, 3}), b = leaf({4, 5}), c = leaf({6, 7}), unused = leaf({1, 1});
  // c is used last; a first, and once more between b and c.
  const Tensor y = sum(((a * a) * b + a) * c);
  const Completed completed(y, {a, b, c, unused});
  BOOST_TEST(completed.order == (std::vector<std::size_t>{2, 1, 0}));
  BOOST_TEST(completed.gradients[0] == (Doubles{18, 48}));
  BOOST_TEST(completed.gradients[1] == (Doubles{24, 63}));
  BOOST_TEST(completed.gradients[2] == (Doubles{102, 217}));
  BOOST_TEST(!unused.grad().defined());
}

BOOST_AUTO_TEST_CASE(a_leaf_as_output_is_complete_at_once) {
  const Tensor x = leaf({2});
  const Completed completed(x, {x});
  BOOST_TEST(completed.order == (std::vector<std::size_t>{0}));
  BOOST_TEST(completed.gradients[0] == (Doubles{1}));
}

BOOST_AUTO_TEST_CASE(a_leaf_without_a_gradient_is_complete_too) {
  const Tensor x = leaf({2}), w = leaf({3});
  const Completed completed(sum(x * x + w.detach() * x), {x, w});
  BOOST_TEST(completed.order == (std::vector<std::size_t>{0}));
}

// w is no input of the checkpoints, which compute with it twice, and again behind them.
BOOST_AUTO_TEST_CASE(leaves_inside_of_checkpoints_are_complete_after_the_first_checkpoint) {
  const Tensor x = leaf({0.5}), w = leaf({2}), v = leaf({3});
  const auto times_w = [&](const std::vector<Tensor>& in) { return in[0] * w; };
  const auto nested = [&](const std::vector<Tensor>& in) {
    return checkpoint(times_w, {in[0] * v});
  };
  const Tensor y = sum(checkpoint(times_w, {checkpoint(nested, {x})}) + w);
  std::vector<std::string> names;
  for (const Tensor& each : leaves_of(y))
    names.push_back(each.is(x) ? "x" : each.is(w) ? "w" : each.is(v) ? "v" : "?");
  std::sort(names.begin(), names.end());
  BOOST_TEST(names == (std::vector<std::string>{"v", "w", "x"}), boost::test_tools::per_element());
  const Completed completed(y, {x, w, v});  // y = x v w^2 + w
  BOOST_REQUIRE_EQUAL(completed.order.size(), 3u);
  for (std::size_t i = 0; i < 3; ++i) {
    const Doubles expected{completed.order[i] == 0 ? 12.0 : completed.order[i] == 1 ? 7.0 : 2.0};
    BOOST_TEST(completed.gradients[i] == expected);
  }
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
