// Softmax, rope, embedding, tokens and cross-entropy beyond the op list: known results, extreme
// values, strides, rejected arguments.

#define BOOST_TEST_MODULE rows
#include <boost/test/unit_test.hpp>
#include <cmath>
#include <numeric>

#include "eflow/core/base/error.hpp"
#include "eflow/core/tensor/ops.hpp"

namespace eflow {
namespace {

using Values = std::vector<double>;
using Ids = std::vector<std::int64_t>;

Tensor counting(const Shape& shape, DType dtype = DType::kF64) {
  Values v(static_cast<std::size_t>(element_count(shape)));
  std::iota(v.begin(), v.end(), 0.0);
  const NoGrad off;
  return cast(Tensor::from(v, shape), dtype);
}

Tensor ids_of(const Ids& ids, const Shape& shape) {
  return Tensor::from(ids, shape);
}

void require_close(const Tensor& found, const Values& expected, double tolerance) {
  const Values values = found.to_vector<double>();
  BOOST_REQUIRE_EQUAL(values.size(), expected.size());
  for (std::size_t i = 0; i < values.size(); ++i)
    BOOST_REQUIRE_SMALL(values[i] - expected[i], tolerance);
}

BOOST_AUTO_TEST_CASE(softmax_of_huge_values_is_finite) {
  const Tensor x = Tensor::from(std::vector<float>{1e30f, 1e30f, -1e30f, 1000, 1001, 0}, {2, 3});
  const auto y = softmax(x).to_vector<float>();
  BOOST_TEST(y[0] == 0.5f);
  BOOST_TEST(y[2] == 0.0f);
  BOOST_TEST(y[4] == 1 / (1 + std::exp(-1.0f)), boost::test_tools::tolerance(1e-6f));
  BOOST_TEST(y[5] == 0.0f);
}

BOOST_AUTO_TEST_CASE(rope_turns_pairs_and_turns_back) {
  const double angle = 0.3;
  const Tensor cos = Tensor::full({1, 1}, std::cos(angle), DType::kF64),
               sin = Tensor::full({1, 1}, std::sin(angle), DType::kF64);
  const Tensor x = Tensor::from(Values{1, 0, 0, 1}, {1, 1, 4});
  require_close(rope(x, cos, sin, 2),
                {std::cos(angle), std::sin(angle), -std::sin(angle), std::cos(angle)}, 1e-15);
  require_close(rope(rope(x, cos, sin, 2), cos, -sin, 2), {1, 0, 0, 1}, 1e-15);
}

BOOST_AUTO_TEST_CASE(rope_keeps_f32_tables_for_bf16_rows) {
  const Tensor x = counting({1, 2, 8}, DType::kBF16), angles = counting({2, 2}, DType::kF32);
  const Tensor y = rope(x, cos(angles), sin(angles), 2);
  BOOST_TEST(y.dtype() == DType::kBF16);
  const Values expected =
      rope(cast(x, DType::kF32), cos(angles), sin(angles), 2).to_vector<double>();
  require_close(y, expected, 1.0 / 16);  // half an ulp of bf16 below 32
}

BOOST_AUTO_TEST_CASE(embedding_looks_up_and_adds_back) {
  Tensor table = counting({4, 3}).set_requires_grad();
  const Tensor y = embedding(table, ids_of({2, 0, 2, 3}, {2, 2}));
  BOOST_TEST(y.shape() == (Shape{2, 2, 3}));
  require_close(y, {6, 7, 8, 0, 1, 2, 6, 7, 8, 9, 10, 11}, 0);
  backward(y, counting({2, 2, 3}));
  require_close(table.grad(), {3, 4, 5, 0, 0, 0, 6, 8, 10, 9, 10, 11}, 0);
}

BOOST_AUTO_TEST_CASE(scatter_is_the_inverse_of_gather) {
  Tensor x = counting({2, 4, 3}).set_requires_grad(),
         fill = Tensor::full({3}, -1, DType::kF64).set_requires_grad();
  const Tensor ids = ids_of({1, 3, 2, 0}, {2, 2});
  const Tensor kept = gather_tokens(x, ids);
  require_close(kept, {3, 4, 5, 9, 10, 11, 18, 19, 20, 12, 13, 14}, 0);
  const Tensor back = scatter_tokens(kept, ids, fill, 4);
  require_close(back, {-1, -1, -1, 3,  4,  5,  -1, -1, -1, 9,  10, 11,
                       12, 13, 14, -1, -1, -1, 18, 19, 20, -1, -1, -1},
                0);
  backward(back, counting({2, 4, 3}));
  require_close(x.grad(),
                {0, 0, 0, 3, 4, 5, 0, 0, 0, 9, 10, 11, 12, 13, 14, 0, 0, 0, 18, 19, 20, 0, 0, 0},
                0);
  require_close(fill.grad(), {0 + 6 + 15 + 21, 1 + 7 + 16 + 22, 2 + 8 + 17 + 23}, 0);
}

BOOST_AUTO_TEST_CASE(no_kept_tokens_leave_the_fill) {
  const Tensor none = Tensor::zeros({2, 0, 3}), ids = ids_of({}, {2, 0});
  require_close(scatter_tokens(none, ids, Tensor::full({3}, 2), 2), Values(12, 2.0), 0);
  BOOST_TEST(gather_tokens(Tensor::zeros({2, 5, 3}), ids).count() == 0);
}

BOOST_AUTO_TEST_CASE(cross_entropy_of_known_rows) {
  const Tensor even = Tensor::zeros({3, 5}, DType::kF64);
  BOOST_TEST(cross_entropy(even, ids_of({0, 4, 2}, {3})).item() == std::log(5.0),
             boost::test_tools::tolerance(1e-14));
  const Tensor sure = Tensor::from(std::vector<float>{1000, 0, -1000}, {1, 3});
  BOOST_TEST(cross_entropy(sure, ids_of({0}, {1})).item() == 0.0);
  BOOST_TEST(cross_entropy(sure, ids_of({2}, {1})).item() == 2000.0);
}

BOOST_AUTO_TEST_CASE(misfits_are_refused) {
  const Tensor x = Tensor::zeros({2, 3, 8}), table = Tensor::zeros({3, 2});
  BOOST_CHECK_THROW(static_cast<void>(rope(x, table, table, 3)), ShapeError);
  BOOST_CHECK_THROW(static_cast<void>(rope(x, table, table, 4)), ShapeError);
  BOOST_CHECK_THROW(static_cast<void>(rope(x, table, Tensor::zeros({2, 3, 2}), 2)), ShapeError);
  BOOST_CHECK_THROW(static_cast<void>(embedding(table, ids_of({3}, {1}))), InvalidArgument);
  BOOST_CHECK_THROW(static_cast<void>(embedding(table, ids_of({-1}, {1}))), InvalidArgument);
  BOOST_CHECK_THROW(static_cast<void>(embedding(table, Tensor::zeros({1}))), InvalidArgument);
  BOOST_CHECK_THROW(static_cast<void>(gather_tokens(x, ids_of({0, 3}, {2, 1}))), InvalidArgument);
  BOOST_CHECK_THROW(static_cast<void>(gather_tokens(x, ids_of({0, 1, 2, 2}, {2, 2}))),
                    InvalidArgument);
  BOOST_CHECK_THROW(static_cast<void>(gather_tokens(x, ids_of({0}, {1, 1}))), ShapeError);
  BOOST_CHECK_THROW(static_cast<void>(scatter_tokens(x, ids_of({0, 1, 2, 0, 1, 3}, {2, 3}),
                                                     Tensor::zeros({8}), 3)),
                    InvalidArgument);
  BOOST_CHECK_THROW(static_cast<void>(scatter_tokens(x, ids_of({0, 1, 2, 0, 1, 2}, {2, 3}),
                                                     Tensor::zeros({7}), 3)),
                    ShapeError);
  BOOST_CHECK_THROW(static_cast<void>(cross_entropy(table, ids_of({0, 1, 2}, {3}))),
                    InvalidArgument);
  BOOST_CHECK_THROW(static_cast<void>(cross_entropy(table, ids_of({0, 1}, {2}))), ShapeError);
}

}  // namespace
}  // namespace eflow
