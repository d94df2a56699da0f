#define BOOST_TEST_MODULE module
#include "eflow/nn/layers/module.hpp"

#include <boost/test/unit_test.hpp>

#include "eflow/core/base/error.hpp"
#include "eflow/nn/layers/linear.hpp"
#include "eflow/tests/support/model_check.hpp"

namespace eflow::nn {
namespace {

struct Mlp : Module {
  explicit Mlp(const Scope& where) : Module(where) {}
  Linear up{child("up"), 3, 5}, down{child("down"), 5, 2};
  Tensor offset{buffer("offset", {2}, constant_init(0.5))};
  Tensor operator()(const Tensor& x) const { return down(gelu(up(x))) + offset; }
};

/// The same layers, built in the opposite order.
struct ReversedMlp : Module {
  explicit ReversedMlp(const Scope& where) : Module(where) {}
  Linear down{child("down"), 5, 2}, up{child("up"), 3, 5};
};

const RandomKey kKey{.seed = 5};

std::vector<std::string> names_of(const NamedTensors& tensors) {
  std::vector<std::string> names;
  for (const auto& [name, tensor] : tensors) names.push_back(name);
  return names;
}

std::string message_of(Module& module, const NamedTensors& state) {
  try {
    module.load_state(state);
  } catch (const InvalidArgument& error) {
    return error.what();
  }
  return "";
}

BOOST_AUTO_TEST_CASE(names_are_dotted_and_in_order_of_declaration) {
  const Mlp mlp{Scope(kKey)};
  const std::vector<std::string> expected = {"up.weight", "up.bias", "down.weight", "down.bias"};
  BOOST_TEST(names_of(mlp.parameters()) == expected);
  BOOST_TEST(names_of(mlp.state()).back() == "offset");
  BOOST_TEST(mlp.parameter_count() == 3 * 5 + 5 + 5 * 2 + 2);
}

BOOST_AUTO_TEST_CASE(the_order_of_construction_does_not_matter) {
  const Mlp a{Scope(kKey)};
  const ReversedMlp b{Scope(kKey)};
  BOOST_TEST(test::distance(a.parameters()[0].second, b.parameters()[2].second) == 0);
}

BOOST_AUTO_TEST_CASE(buffers_are_not_trained) {
  const Mlp mlp{Scope(kKey)};
  backward(sum(mlp(test::values({4, 3}, 1, 1, DType::kF32))));
  for (const auto& [name, tensor] : mlp.parameters()) BOOST_TEST(tensor.grad().defined(), name);
  BOOST_TEST(!mlp.offset.grad().defined());
  BOOST_TEST(!mlp.offset.requires_grad());
}

BOOST_AUTO_TEST_CASE(state_round_trips) {
  Mlp a{Scope(kKey)}, b{Scope({.seed = 6})};
  const Tensor x = test::values({4, 3}, 1, 1, DType::kF32);
  BOOST_TEST(test::distance(a(x), b(x)) > 0);
  NamedTensors state = a.state();
  std::reverse(state.begin(), state.end());
  b.load_state(state);
  BOOST_TEST(test::distance(a(x), b(x)) == 0);
}

BOOST_AUTO_TEST_CASE(a_state_of_another_model_changes_nothing) {
  Mlp mlp{Scope(kKey)};
  const Tensor before = contiguous(mlp.parameters()[0].second.detach() * 1.0);
  NamedTensors state = Mlp{Scope({.seed = 6})}.state();
  state[1].second = Tensor::zeros({7});
  state[2].first = "sideways.weight";
  const std::string message = message_of(mlp, state);
  BOOST_TEST(message.find("up.bias: found [7], expected [5]") != std::string::npos, message);
  BOOST_TEST(message.find("down.weight: missing, expected [2, 5]") != std::string::npos, message);
  BOOST_TEST(message.find("sideways.weight") != std::string::npos, message);
  BOOST_TEST(test::distance(before, mlp.parameters()[0].second) == 0);
}

BOOST_AUTO_TEST_CASE(at_most_ten_mismatches_are_listed) {
  Mlp mlp{Scope(kKey)};
  NamedTensors state = mlp.state();
  for (int i = 0; i < 13; ++i) state.emplace_back(str("extra", i), Tensor::zeros({1}));
  const std::string message = message_of(mlp, state);
  BOOST_TEST(std::count(message.begin(), message.end(), '\n') == 11, message);
  BOOST_TEST(message.find("and 3 more") != std::string::npos, message);
}

BOOST_AUTO_TEST_CASE(shapes_alone_can_be_counted) {
  const Mlp mlp{Scope::shapes_only()};
  BOOST_TEST(mlp.parameter_count() == 32);
  BOOST_TEST(mlp.parameter_info()[2].name == "down.weight");
  BOOST_TEST(!mlp.parameters()[0].second.defined());
}

BOOST_AUTO_TEST_CASE(a_model_without_values_takes_a_state) {
  const Mlp drawn{Scope(kKey)};
  Mlp empty{Scope(kKey).without_values()};
  for (const auto& [name, value] : empty.state()) {
    BOOST_TEST(sum(square(value)).item() == 0, name);
    BOOST_TEST(value.dtype() == DType::kF32);
  }
  empty.load_state(drawn.state());
  for (std::size_t i = 0; i < drawn.state().size(); ++i)
    BOOST_TEST(test::distance(drawn.state()[i].second, empty.state()[i].second) == 0);
}

BOOST_AUTO_TEST_CASE(parameters_are_f32_or_f64) {
  BOOST_CHECK_THROW(Scope(kKey, DType::kI64), InvalidArgument);
}

}  // namespace
}  // namespace eflow::nn
