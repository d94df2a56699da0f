#define BOOST_TEST_MODULE norm_layers
#include "eflow/nn/layers/norm_layers.hpp"

#include <boost/test/unit_test.hpp>

#include "eflow/tests/support/model_check.hpp"

namespace eflow::nn {
namespace {

const Scope kScope({.seed = 1}, DType::kF64);

BOOST_AUTO_TEST_CASE(rms_norm_equalises_each_head) {
  const RmsNorm norm(kScope, 12, 3);
  BOOST_TEST(norm.parameters()[0].second.shape() == (Shape{3, 4}));
  const Tensor scales = Tensor::from(std::vector<double>{1, 10, 100}, {1, 3, 1});
  const Tensor x = reshape(reshape(test::values({5, 12}, 2), {5, 3, 4}) * scales, {5, 12});
  const Tensor rms = mean(square(reshape(norm(x), {5, 3, 4})), {2});
  BOOST_TEST(test::distance(rms, Tensor::full({5, 3}, 1, DType::kF64)) < 1e-4);
}

BOOST_AUTO_TEST_CASE(layer_norm_starts_as_plain_standardisation) {
  const LayerNorm norm(kScope, 16);
  const Tensor y = norm(test::values({3, 16}, 2) * 5.0 + 2.0);
  BOOST_TEST(test::largest(mean(y, {1})) < 1e-12);
  BOOST_TEST(test::distance(mean(square(y), {1}), Tensor::full({3}, 1, DType::kF64)) < 1e-4);
}

}  // namespace
}  // namespace eflow::nn
