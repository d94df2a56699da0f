#define BOOST_TEST_MODULE self_attention
#include "eflow/nn/attention/self_attention.hpp"

#include <boost/test/unit_test.hpp>
#include <cmath>

#include "eflow/core/tensor/device.hpp"
#include "eflow/nn/attention/token_layout.hpp"
#include "eflow/nn/layers/rope3d.hpp"
#include "eflow/tests/support/model_check.hpp"

namespace eflow::nn {
namespace {

const Scope kScope({.seed = 1}, DType::kF64);
const Grid3 kGrid{2, 2, 2};

RopeTables tables() {
  return RopeTables::of_grid(kGrid, 6, DType::kF64, default_device());
}

BOOST_AUTO_TEST_CASE(self_attention_depends_on_token_positions) {
  const SelfAttention attention(kScope, 12, 2, {.kind = AttentionKind::kSoftmax});
  const Tensor x = broadcast_to(test::values({1, 1, 12}, 1), {1, 8, 12});
  const Tensor other = concat({test::values({1, 1, 12}, 2), narrow(x, 1, 1, 7)}, 1);
  const Tensor y = attention(other, {tables()});
  BOOST_TEST(test::distance(narrow(y, 1, 3, 1), narrow(y, 1, 4, 1)) > 1e-6);
}

BOOST_AUTO_TEST_CASE(the_scale_of_queries_does_not_matter) {
  const SelfAttention attention(kScope, 12, 2, {.kind = AttentionKind::kSoftmax});
  const Tensor x = test::values({2, 8, 12}, 1);
  const Tensor before = attention(x, {tables()});
  for (auto [name, tensor] : attention.parameters()) {
    if (name != "qkv.weight") continue;
    narrow(tensor.detach(), 0, 0, 12).assign(narrow(tensor.detach(), 0, 0, 12) * 1000.0);
  }
  BOOST_TEST(test::distance(before, attention(x, {tables()})) < 1e-5);
}

BOOST_AUTO_TEST_CASE(qkv_is_initialised_with_the_fan_of_one_layer) {
  const SelfAttention attention(kScope, 48, 2, {.kind = AttentionKind::kSoftmax});
  const Tensor w = attention.parameters()[0].second;
  BOOST_TEST(w.shape() == (Shape{144, 48}));
  BOOST_TEST(test::largest(w) <= std::sqrt(6.0 / 96));
  BOOST_TEST(test::largest(w) > 0.99 * std::sqrt(6.0 / 96));
}

BOOST_AUTO_TEST_CASE(gradients_match_finite_differences) {
  const SelfAttention attention(kScope, 12, 2, {.kind = AttentionKind::kGated, .radius = 1});
  test::perturb(attention.parameters(), 0.2);
  Tensor x = test::values({2, 8, 12}, 1);
  x.set_requires_grad();
  NamedTensors leaves = attention.parameters();
  leaves.emplace_back("x", x);
  const Tensor weights = test::values({2, 8, 12}, 3);
  const auto worst =
      test::worst_gradient(leaves, [&] { return sum(attention(x, {tables()}) * weights); });
  BOOST_TEST(worst.relative() < 1e-5,
             worst.name << ": " << worst.analytic << " against " << worst.numeric);
}

}  // namespace
}  // namespace eflow::nn
