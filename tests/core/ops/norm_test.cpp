// Norms beyond the op list: agreement with plain f64 loops, strided rows used without a copy, long
// sums that are split, and rejected arguments.

#define BOOST_TEST_MODULE norm
#include <boost/test/unit_test.hpp>
#include <cmath>

#include "eflow/core/base/error.hpp"
#include "eflow/core/tensor/device.hpp"
#include "eflow/core/tensor/ops.hpp"

namespace eflow {
namespace {

using Values = std::vector<double>;
constexpr double kEps = 1e-6;

Tensor normals(const Shape& shape, std::uint32_t purpose, DType dtype = DType::kF64,
               const DevicePtr& device = default_device()) {
  const NoGrad off;
  return reshape(random_normal({1, element_count(shape)}, {5, purpose, 0}, {0}, dtype, device),
                 shape);
}

/// The norm of one row and, given dy, its gradient, by the equations.
struct Row {
  Values xhat;
  double rstd = 0;

  Row(const double* x, std::size_t width, bool centred) : xhat(x, x + width) {
    double mean = 0, square = 0;
    for (const double v : xhat) mean += v / static_cast<double>(width);
    if (!centred) mean = 0;
    for (double& v : xhat) {
      v -= mean;
      square += v * v / static_cast<double>(width);
    }
    rstd = 1 / std::sqrt(square + kEps);
    for (double& v : xhat) v *= rstd;
  }

  /// g: dy times factor.
  [[nodiscard]] Values gradient(const Values& g, bool centred) const {
    double mean_g = 0, mean_gx = 0;
    const auto width = static_cast<double>(g.size());
    for (std::size_t i = 0; i < g.size(); ++i) {
      mean_g += g[i] / width;
      mean_gx += g[i] * xhat[i] / width;
    }
    Values dx(g.size());
    for (std::size_t i = 0; i < g.size(); ++i)
      dx[i] = rstd * (g[i] - (centred ? mean_g : 0) - xhat[i] * mean_gx);
    return dx;
  }
};

void require_close(const Tensor& found, const Values& expected, double tolerance) {
  const Values values = found.to_vector<double>();
  BOOST_REQUIRE_EQUAL(values.size(), expected.size());
  for (std::size_t i = 0; i < values.size(); ++i)
    BOOST_REQUIRE_SMALL(values[i] - expected[i], tolerance);
}

BOOST_AUTO_TEST_CASE(layer_norm_of_a_known_row) {
  const Tensor x = Tensor::from(Values{1, 2, 3, 4}, {1, 4});
  const double s = 1 / std::sqrt(1.25);
  require_close(layer_norm(x, {}, {}, 0), {-1.5 * s, -0.5 * s, 0.5 * s, 1.5 * s}, 1e-14);
  require_close(
      rms_norm(Tensor::from(Values{3, 4, 6, 8}, {4}), {}, 2, 0),
      {3 / std::sqrt(12.5), 4 / std::sqrt(12.5), 6 / std::sqrt(50.0), 8 / std::sqrt(50.0)}, 1e-14);
}

BOOST_AUTO_TEST_CASE(a_constant_row_becomes_zero_and_a_large_offset_does_no_harm) {
  require_close(layer_norm(Tensor::full({2, 100}, 7.25), {}, {}, kEps), Values(200), 0);
  const Tensor x = normals({8, 192}, 1, DType::kF32);
  require_close(layer_norm(x + 1000.0, {}, {}, kEps),
                layer_norm(x, {}, {}, kEps).to_vector<double>(), 5e-4);
}

BOOST_AUTO_TEST_CASE(norms_follow_plain_loops) {
  for (const DType dtype : {DType::kF64, DType::kF32}) {
    for (const bool centred : {true, false}) {
      // 700 rows take several blocks, whose partial sums are added.
      constexpr std::size_t kRows = 700, kWidth = 50;
      const int groups = centred ? 1 : 2;
      const std::size_t part = kWidth / static_cast<std::size_t>(groups);
      Tensor x = normals({kRows, kWidth}, 1, dtype), w = normals({kWidth}, 2, dtype);
      const Tensor dy = normals({kRows, kWidth}, 3, dtype);
      const Values vx = x.to_vector<double>(), vw = w.to_vector<double>(),
                   vdy = dy.to_vector<double>();
      Values y(vx.size()), dx(vx.size()), dw(kWidth);
      for (std::size_t at = 0; at < vx.size(); at += part) {
        const Row row(&vx[at], part, centred);
        Values g(part);
        for (std::size_t i = 0; i < part; ++i) {
          const std::size_t column = (at + i) % kWidth;
          y[at + i] = row.xhat[i] * vw[column];
          g[i] = vdy[at + i] * vw[column];
          dw[column] += vdy[at + i] * row.xhat[i];
        }
        const Values d = row.gradient(g, centred);
        std::copy(d.begin(), d.end(), dx.begin() + static_cast<std::ptrdiff_t>(at));
      }
      x.set_requires_grad();
      w.set_requires_grad();
      const Tensor found = centred ? layer_norm(x, w, {}, kEps) : rms_norm(x, w, groups, kEps);
      const bool wide = dtype == DType::kF64;
      require_close(found, y, wide ? 1e-12 : 2e-5);
      backward(found, dy);
      require_close(x.grad(), dx, wide ? 1e-12 : 5e-5);
      require_close(w.grad(), dw, wide ? 1e-11 : 2e-4);
    }
  }
}

BOOST_AUTO_TEST_CASE(rows_of_a_wider_tensor_give_the_bits_of_their_copies) {
  const Tensor wide = normals({2, 9, 96}, 1, DType::kF32), w = normals({32}, 2, DType::kF32);
  const Tensor part = narrow(wide, 2, 32, 32);
  BOOST_TEST((rms_norm(part, w, 2, kEps).to_vector<float>() ==
              rms_norm(contiguous(part), w, 2, kEps).to_vector<float>()));
  const Tensor column = transpose(wide, 1, 2);
  BOOST_TEST((layer_norm(column, {}, {}, kEps).to_vector<float>() ==
              layer_norm(contiguous(column), {}, {}, kEps).to_vector<float>()));
}

BOOST_AUTO_TEST_CASE(bits_do_not_depend_on_the_number_of_threads) {
  std::vector<std::vector<float>> first;
  for (const int threads : {1, 2, 3}) {
    const DevicePtr device = make_cpu_device({.threads = threads});
    Tensor x = normals({4, 500, 48}, 1, DType::kF32, device),
           scale = normals({4, 48}, 2, DType::kF32, device),
           shift = normals({4, 48}, 3, DType::kF32, device);
    for (Tensor* t : {&x, &scale, &shift}) t->set_requires_grad();
    const Tensor y = modulated_layer_norm(x, scale, shift, kEps);
    backward(y, normals({4, 500, 48}, 4, DType::kF32, device));
    const std::vector<std::vector<float>> all = {y.to_vector<float>(), x.grad().to_vector<float>(),
                                                 scale.grad().to_vector<float>(),
                                                 shift.grad().to_vector<float>()};
    if (first.empty()) first = all;
    BOOST_TEST((all == first));
  }
}

BOOST_AUTO_TEST_CASE(nothing_is_saved_without_a_gradient_and_little_with_one) {
  const DevicePtr device = make_cpu_device({.threads = 1});
  Tensor x = normals({64, 256}, 1, DType::kF32, device);
  const std::size_t before = device->memory().in_use;
  const Tensor plain = layer_norm(x, {}, {}, kEps);
  const std::size_t result = device->memory().in_use - before;
  x.set_requires_grad();
  const Tensor recorded = layer_norm(x, {}, {}, kEps);
  // When recorded, the op also keeps a mean and a reciprocal deviation per row.
  BOOST_TEST(device->memory().in_use - before <= 2 * result + 2 * 64 * 64);
  BOOST_TEST((plain.to_vector<float>() == recorded.to_vector<float>()));
}

BOOST_AUTO_TEST_CASE(empty_tensors_pass) {
  Tensor x = Tensor::zeros({0, 8}, DType::kF64), w = Tensor::full({8}, 1, DType::kF64);
  x.set_requires_grad();
  w.set_requires_grad();
  const Tensor y = layer_norm(x, w, {}, kEps);
  BOOST_TEST(y.count() == 0);
  backward(y, Tensor::zeros({0, 8}, DType::kF64));
  require_close(w.grad(), Values(8), 0);
}

BOOST_AUTO_TEST_CASE(misfits_are_refused_by_name) {
  const Tensor x = Tensor::zeros({2, 3, 8}), d7 = Tensor::zeros({7}), d8 = Tensor::zeros({8});
  const auto names = [](const char* op) {
    return [op](const Error& e) { return std::string(e.what()).find(op) != std::string::npos; };
  };
  BOOST_CHECK_EXCEPTION(static_cast<void>(layer_norm(x, d7, {}, kEps)), ShapeError,
                        names("[layer_norm] parameter [7] f32"));
  BOOST_CHECK_EXCEPTION(static_cast<void>(layer_norm(x, d8, d7, kEps)), ShapeError,
                        names("[layer_norm]"));
  BOOST_CHECK_EXCEPTION(static_cast<void>(layer_norm(Tensor::zeros({2, 0}), {}, {}, kEps)),
                        ShapeError, names("D > 0"));
  BOOST_CHECK_EXCEPTION(static_cast<void>(rms_norm(x, d8, 3, kEps)), ShapeError, names("3 groups"));
  BOOST_CHECK_EXCEPTION(static_cast<void>(rms_norm(x, Tensor::zeros({8}, DType::kF64), 2, kEps)),
                        InvalidArgument, names("[rms_norm]"));
  BOOST_CHECK_EXCEPTION(static_cast<void>(modulated_layer_norm(x, Tensor::zeros({3, 8}),
                                                               Tensor::zeros({2, 8}), kEps)),
                        ShapeError, names("[modulated_layer_norm]"));
  BOOST_CHECK_THROW(static_cast<void>(rms_norm(Tensor::zeros({8}, DType::kI64), {}, 1, kEps)),
                    InvalidArgument);
}

}  // namespace
}  // namespace eflow
