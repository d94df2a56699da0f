#define BOOST_TEST_MODULE scalar_embedder
#include "eflow/nn/layers/scalar_embedder.hpp"

#include <boost/test/unit_test.hpp>
#include <cmath>

#include "eflow/tests/support/model_check.hpp"

namespace eflow::nn {
namespace {

const Scope kScope({.seed = 1}, DType::kF64);

BOOST_AUTO_TEST_CASE(sinusoids_are_cosines_then_sines_of_the_raw_scalar) {
  const Tensor x = Tensor::from(std::vector<double>{0.25, 1}, {2});
  const auto e = sinusoids(x, 8).to_vector<double>();
  for (std::size_t k = 0; k < 4; ++k) {
    const double f = std::pow(1e4, -static_cast<double>(k) / 4);
    BOOST_TEST(e[k] == std::cos(0.25 * f), boost::test_tools::tolerance(1e-12));
    BOOST_TEST(e[8 + 4 + k] == std::sin(f), boost::test_tools::tolerance(1e-12));
  }
}

BOOST_AUTO_TEST_CASE(the_embedder_scales_its_input) {
  const ScalarEmbedder raw(kScope, 8, 1), scaled(kScope, 8, 1000);
  const Tensor t = Tensor::from(std::vector<double>{0.3}, {1});
  BOOST_TEST(test::distance(raw(t * 1000.0), scaled(t)) < 1e-14);
}

BOOST_AUTO_TEST_CASE(gradients_match_finite_differences) {
  const ScalarEmbedder embedder(kScope, 6);
  const Tensor t = test::values({2}, 2);
  test::perturb(embedder.parameters(), 0.3);
  const auto worst =
      test::worst_gradient(embedder.parameters(), [&] { return sum(square(embedder(t))); });
  BOOST_TEST(worst.relative() < 1e-6, worst.name);
}

}  // namespace
}  // namespace eflow::nn
