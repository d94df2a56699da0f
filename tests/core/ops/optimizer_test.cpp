// The in-place ops against plain f64 loops, and rejected arguments.

#define BOOST_TEST_MODULE optimizer
#include <boost/test/unit_test.hpp>
#include <cmath>

#include "eflow/core/base/error.hpp"
#include "eflow/core/tensor/device.hpp"
#include "eflow/core/tensor/ops.hpp"

namespace eflow {
namespace {

using Values = std::vector<double>;

Values numbers(std::int64_t count, std::uint32_t purpose) {
  return random_normal({1, count}, {1, purpose, 0}, {0}).to_vector<double>();
}

Tensor tensor(const Values& v, DType dtype, const DevicePtr& device = default_device()) {
  const NoGrad off;
  return cast(Tensor::from(v, {static_cast<std::int64_t>(v.size())}, device), dtype);
}

void adamw_loop(Values& p, Values& m, Values& v, const Values& grad, const AdamWStep& s) {
  for (std::size_t i = 0; i < p.size(); ++i) {
    const double g = grad[i] * s.grad_scale;
    m[i] = s.beta1 * m[i] + (1 - s.beta1) * g;
    v[i] = s.beta2 * v[i] + (1 - s.beta2) * g * g;
    const double m_hat = m[i] / (1 - std::pow(s.beta1, s.step)),
                 v_hat = v[i] / (1 - std::pow(s.beta2, s.step));
    p[i] -= s.lr * s.weight_decay * p[i];
    p[i] -= s.lr * m_hat / (std::sqrt(v_hat) + s.eps);
  }
}

BOOST_AUTO_TEST_CASE(adamw_follows_the_paper) {
  for (const DType dtype : {DType::kF64, DType::kF32}) {
    for (const std::int64_t count : {1, 37, 40000}) {
      Values p = numbers(count, 1), m(p.size()), v(p.size());
      const Tensor tp = tensor(p, dtype), tm = tensor(m, dtype), tv = tensor(v, dtype);
      for (int step = 1; step <= 5; ++step) {
        const Values g = numbers(count, static_cast<std::uint32_t>(10 + step));
        const AdamWStep s{1e-2, 0.9, 0.95, 1e-8, 0.1, step, 0.5};
        adamw_loop(p, m, v, g, s);
        adamw_(tp, tm, tv, tensor(g, dtype), s);
      }
      const double tolerance = dtype == DType::kF64 ? 1e-13 : 2e-6;
      const Values found = tp.to_vector<double>(), found_m = tm.to_vector<double>(),
                   found_v = tv.to_vector<double>();
      for (std::size_t i = 0; i < p.size(); ++i) {
        BOOST_REQUIRE_SMALL(found[i] - p[i], tolerance);
        BOOST_REQUIRE_SMALL(found_m[i] - m[i], tolerance);
        BOOST_REQUIRE_SMALL(found_v[i] - v[i], tolerance);
      }
    }
  }
}

BOOST_AUTO_TEST_CASE(the_first_adamw_step_moves_by_the_learning_rate) {
  const Tensor p = Tensor::full({3}, 2), m = Tensor::zeros({3}), v = Tensor::zeros({3});
  adamw_(p, m, v, Tensor::from(std::vector<float>{0.1f, -5.0f, 300.0f}, {3}),
         {0.25, 0.9, 0.99, 0, 0, 1});
  const auto found = p.to_vector<float>();
  BOOST_TEST(found[0] == 1.75f, boost::test_tools::tolerance(1e-6f));
  BOOST_TEST(found[1] == 2.25f, boost::test_tools::tolerance(1e-6f));
  BOOST_TEST(found[2] == 1.75f, boost::test_tools::tolerance(1e-6f));
}

BOOST_AUTO_TEST_CASE(a_bf16_gradient_updates_an_f32_parameter) {
  Values p = numbers(100, 1), m(100), v(100);
  const Tensor tp = tensor(p, DType::kF32), tm = tensor(m, DType::kF32),
               tv = tensor(v, DType::kF32);
  const Tensor g = tensor(numbers(100, 2), DType::kBF16);
  const AdamWStep s{1e-3, 0.9, 0.999, 1e-8, 0.01, 1};
  adamw_loop(p, m, v, g.to_vector<double>(), s);
  adamw_(tp, tm, tv, g, s);
  const Values found = tp.to_vector<double>();
  for (std::size_t i = 0; i < p.size(); ++i) BOOST_REQUIRE_SMALL(found[i] - p[i], 1e-6);
}

BOOST_AUTO_TEST_CASE(lerp_add_and_scale_are_what_they_say) {
  const Values a = numbers(20000, 1), b = numbers(20000, 2);
  for (const DType dtype : {DType::kF64, DType::kF32}) {
    const double tolerance = dtype == DType::kF64 ? 1e-14 : 1e-6;
    const Tensor average = tensor(a, dtype), sum = tensor(a, dtype), scaled = tensor(a, dtype);
    lerp_(average, tensor(b, dtype), 0.99);
    add_(sum, tensor(b, dtype));
    scale_(scaled, -0.3);
    const Values x = average.to_vector<double>(), y = sum.to_vector<double>(),
                 z = scaled.to_vector<double>();
    for (std::size_t i = 0; i < a.size(); ++i) {
      BOOST_REQUIRE_SMALL(x[i] - (0.99 * a[i] + 0.01 * b[i]), tolerance);
      BOOST_REQUIRE_SMALL(y[i] - (a[i] + b[i]), tolerance);
      BOOST_REQUIRE_SMALL(z[i] + 0.3 * a[i], tolerance);
    }
  }
  const Tensor wide = Tensor::full({4}, 1);
  add_(wide, Tensor::full({4}, 0.5, DType::kBF16));
  BOOST_TEST(wide.to_vector<float>()[3] == 1.5f);
}

BOOST_AUTO_TEST_CASE(sum_of_squares_adds_in_f64) {
  const Values a = numbers(70001, 1), b = numbers(3, 2);
  double expected = 0;
  for (const double v : a) expected += v * v;
  for (const double v : b) expected += v * v;
  BOOST_TEST(sum_of_squares({tensor(a, DType::kF32), tensor(b, DType::kF64)}) == expected,
             boost::test_tools::tolerance(1e-13));
  BOOST_TEST(sum_of_squares({}) == 0.0);
  BOOST_TEST(sum_of_squares({Tensor::zeros({0}), Tensor::full({2, 3}, 2, DType::kBF16)}) == 24.0);
  const Tensor matrix = Tensor::from(a, {70001});
  BOOST_TEST(
      sum_of_squares({narrow(reshape(matrix, {70001, 1}), 0, 1, 2)}) == a[1] * a[1] + a[2] * a[2],
      boost::test_tools::tolerance(1e-13));
}

BOOST_AUTO_TEST_CASE(bits_do_not_depend_on_the_number_of_threads) {
  std::vector<float> p[3];
  double norms[3];
  for (int threads = 1; threads <= 3; ++threads) {
    const DevicePtr device = make_cpu_device({.threads = threads});
    const Tensor tp = tensor(numbers(100001, 1), DType::kF32, device),
                 m = Tensor::zeros({100001}, DType::kF32, device),
                 v = Tensor::zeros({100001}, DType::kF32, device),
                 g = tensor(numbers(100001, 2), DType::kF32, device);
    adamw_(tp, m, v, g, {1e-3, 0.9, 0.95, 1e-8, 0.1, 1});
    p[threads - 1] = tp.to_vector<float>();
    norms[threads - 1] = sum_of_squares({tp, g});
  }
  BOOST_TEST((p[0] == p[1] && p[1] == p[2]));
  BOOST_TEST((norms[0] == norms[1] && norms[1] == norms[2]));
}

BOOST_AUTO_TEST_CASE(a_saved_tensor_that_was_updated_is_noticed) {
  const Tensor p = Tensor::full({3}, 2).set_requires_grad();
  const Tensor loss = sum(square(p));
  scale_(p, 2);
  BOOST_CHECK_THROW(backward(loss), InvalidArgument);
}

BOOST_AUTO_TEST_CASE(misfits_are_refused) {
  const Tensor p = Tensor::zeros({4}), other = Tensor::zeros({5}),
               wide = Tensor::zeros({4}, DType::kF64), narrow_p = Tensor::zeros({4}, DType::kBF16);
  const AdamWStep s{1e-3, 0.9, 0.95, 1e-8, 0.1, 1};
  BOOST_CHECK_THROW(adamw_(p, p, p, other, s), ShapeError);
  BOOST_CHECK_THROW(adamw_(p, wide, p, p, s), InvalidArgument);
  BOOST_CHECK_THROW(adamw_(p, p, narrow_p, p, s), InvalidArgument);
  BOOST_CHECK_THROW(adamw_(narrow_p, narrow_p, narrow_p, narrow_p, s), InvalidArgument);
  BOOST_CHECK_THROW(adamw_(p, p, p, p, {1e-3, 0.9, 0.95, 1e-8, 0.1, 0}), InvalidArgument);
  BOOST_CHECK_THROW(lerp_(p, other, 0.9), ShapeError);
  BOOST_CHECK_THROW(add_(p, wide), InvalidArgument);
  const Tensor column = transpose(Tensor::zeros({2, 3}), 0, 1);
  BOOST_CHECK_THROW(scale_(column, 2), InvalidArgument);
}

}  // namespace
}  // namespace eflow
