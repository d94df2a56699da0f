#define BOOST_TEST_MODULE linear
#include "eflow/nn/layers/linear.hpp"

#include <boost/test/unit_test.hpp>

#include "eflow/core/base/error.hpp"
#include "eflow/tests/support/model_check.hpp"

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

/// The weights rounded to bf16, as the product uses them.
BOOST_AUTO_TEST_CASE(f32_weights_are_masters_for_bf16_inputs) {
  const Linear layer(Scope({.seed = 1}), 37, 19);
  test::perturb(layer.parameters(), 0.5);
  const Tensor w = layer.parameters()[0].second, b = layer.parameters()[1].second;
  const Tensor x = test::values({5, 3, 37}, 4, 1, DType::kBF16);
  x.set_requires_grad();
  const auto as = [](const Tensor& t, DType dtype) { return cast(t.detach(), dtype); };
  const Tensor rounded = as(as(w, DType::kBF16), DType::kF64), wide_x = as(x, DType::kF64);
  const Tensor exact = linear(wide_x, rounded, as(b, DType::kF64));

  const Tensor y = layer(x), wide = layer.widened(x);
  BOOST_TEST(y.dtype() == DType::kBF16);
  BOOST_TEST(wide.dtype() == DType::kF32);
  BOOST_TEST(test::distance(wide, exact) < 1e-5 * test::largest(exact));
  BOOST_TEST(test::distance(y, exact) < 8e-3 * test::largest(exact));
  BOOST_TEST(test::distance(y, exact) > 1e-4 * test::largest(exact));

  const Tensor dy = test::values({5, 3, 19}, 9, 1, DType::kBF16), rows = reshape(dy, {15, 19});
  const Tensor dw = matmul(transpose(as(rows, DType::kF64), 0, 1), reshape(wide_x, {15, 37}));
  const Tensor dx = matmul(as(dy, DType::kF64), rounded), db = sum(as(rows, DType::kF64), {0});
  for (const bool widened : {false, true}) {
    for (const Tensor& leaf : {x, w, b}) leaf.clear_grad();
    if (widened)
      backward(sum(layer.widened(x) * cast(dy, DType::kF32)));
    else
      backward(sum(layer(x) * dy));
    BOOST_TEST(x.grad().dtype() == DType::kBF16);
    BOOST_TEST(w.grad().dtype() == DType::kF32);
    BOOST_TEST(b.grad().dtype() == DType::kF32);
    BOOST_TEST(test::distance(w.grad(), dw) < 1e-5 * test::largest(dw));
    BOOST_TEST(test::distance(b.grad(), db) < 1e-5 * test::largest(db));
    BOOST_TEST(test::distance(x.grad(), dx) < 8e-3 * test::largest(dx));
  }
}

BOOST_AUTO_TEST_CASE(other_dtype_combinations_are_refused) {
  const Tensor f32 = Tensor::zeros({2, 3}), bf16 = Tensor::zeros({2, 3}, DType::kBF16);
  const Tensor f64 = Tensor::zeros({2, 3}, DType::kF64);
  BOOST_CHECK_THROW(static_cast<void>(linear(f32, bf16)), InvalidArgument);
  BOOST_CHECK_THROW(static_cast<void>(linear(bf16, f64)), InvalidArgument);
  BOOST_CHECK_THROW(static_cast<void>(linear(f32, f32, {}, DType::kBF16)), InvalidArgument);
  BOOST_CHECK_THROW(static_cast<void>(linear(bf16, f32, {}, DType::kF64)), InvalidArgument);
  BOOST_CHECK_THROW(static_cast<void>(linear(bf16, f32, Tensor::zeros({2}, DType::kBF16))),
                    InvalidArgument);
  BOOST_CHECK_THROW(static_cast<void>(Scope({.seed = 1}, DType::kF64).computing_in(DType::kBF16)),
                    InvalidArgument);
  BOOST_CHECK_THROW(static_cast<void>(Scope({.seed = 1}).computing_in(DType::kF64)),
                    InvalidArgument);
}

}  // namespace
}  // namespace eflow::nn
