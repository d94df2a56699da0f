#define BOOST_TEST_MODULE linear
#include "eflow/nn/linear.hpp"

#include <boost/test/unit_test.hpp>

#include "support/model_check.hpp"

namespace eflow::nn {
namespace {

const Scope kScope({.seed = 1}, DType::kF64);

BOOST_AUTO_TEST_CASE(linear_is_x_w_plus_b) {
  const Linear layer(kScope, 3, 2);
  test::perturb(layer.parameters(), 0.5);
  const auto w = layer.parameters()[0].second.to_vector<double>();
  const auto b = layer.parameters()[1].second.to_vector<double>();
  const Tensor x = test::values({2, 3}, 4);
  const auto in = x.to_vector<double>(), out = layer(x).to_vector<double>();
  for (std::size_t i = 0; i < 2; ++i) {
    for (std::size_t j = 0; j < 2; ++j) {
      double expected = b[j];
      for (std::size_t k = 0; k < 3; ++k) expected += in[i * 3 + k] * w[j * 3 + k];
      BOOST_TEST(out[i * 2 + j] == expected, boost::test_tools::tolerance(1e-12));
    }
  }
}

}  // namespace
}  // namespace eflow::nn
