#define BOOST_TEST_MODULE feed_forward
#include "eflow/nn/layers/feed_forward.hpp"

#include <boost/test/unit_test.hpp>

#include "eflow/tests/support/model_check.hpp"

namespace eflow::nn {
namespace {

const Scope kScope({.seed = 1}, DType::kF64);

BOOST_AUTO_TEST_CASE(gradients_match_finite_differences) {
  const FeedForward layer(kScope, 6, 10);
  const Tensor x = test::values({2, 6}, 1);
  const auto worst =
      test::worst_gradient(layer.parameters(), [&] { return sum(square(layer(x))); });
  BOOST_TEST(worst.relative() < 1e-6, worst.name);
}

}  // namespace
}  // namespace eflow::nn
