#define BOOST_TEST_MODULE cross_attention
#include "eflow/nn/attention/cross_attention.hpp"

#include <boost/test/unit_test.hpp>

#include "eflow/tests/support/model_check.hpp"

namespace eflow::nn {
namespace {

const Scope kScope({.seed = 1}, DType::kF64);

BOOST_AUTO_TEST_CASE(cross_attention_mixes_values_of_the_context) {
  const CrossAttention attention(kScope, 12, 2);
  const Tensor x = test::values({2, 5, 12}, 1);
  // With a single context token, all tokens get its value.
  const Tensor y = attention(x, test::values({2, 1, 12}, 2));
  BOOST_TEST(y.shape() == x.shape());
  BOOST_TEST(test::distance(narrow(y, 1, 0, 1), narrow(y, 1, 4, 1)) < 1e-12);
  const Tensor two = attention(x, test::values({2, 3, 12}, 2));
  BOOST_TEST(test::distance(narrow(two, 1, 0, 1), narrow(two, 1, 4, 1)) > 1e-6);
}

BOOST_AUTO_TEST_CASE(gradients_match_finite_differences) {
  const CrossAttention attention(kScope, 12, 2);
  Tensor x = test::values({2, 8, 12}, 1), context = test::values({2, 3, 12}, 2);
  x.set_requires_grad();
  context.set_requires_grad();
  NamedTensors leaves = attention.parameters();
  leaves.emplace_back("x", x);
  leaves.emplace_back("context", context);
  const Tensor weights = test::values({2, 8, 12}, 3);
  const auto worst =
      test::worst_gradient(leaves, [&] { return sum(attention(x, context) * weights); });
  BOOST_TEST(worst.relative() < 1e-5,
             worst.name << ": " << worst.analytic << " against " << worst.numeric);
}

}  // namespace
}  // namespace eflow::nn
