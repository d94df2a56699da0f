// Frechet distance, its linear algebra, and spectra, compared with closed forms.
#define BOOST_TEST_MODULE frechet
#include "eflow/trainer/eval/frechet.hpp"

#include <boost/test/unit_test.hpp>
#include <cmath>
#include <numbers>
#include <random>

#include "eflow/core/base/error.hpp"
#include "eflow/core/tensor/ops.hpp"
#include "eflow/trainer/eval/clip_spectra.hpp"

using namespace eflow::trainer;
namespace tt = boost::test_tools;

namespace {

std::vector<double> normals(std::size_t count, unsigned seed) {
  std::mt19937_64 random(seed);
  std::normal_distribution<double> normal;
  std::vector<double> values(count);
  for (double& value : values) value = normal(random);
  return values;
}

/// Returns G G^T of a random n x rank matrix G.
std::vector<double> semidefinite(std::size_t n, std::size_t rank, unsigned seed) {
  const auto g = normals(n * rank, seed);
  std::vector<double> a(n * n);
  for (std::size_t i = 0; i < n; ++i) {
    for (std::size_t j = 0; j < n; ++j) {
      for (std::size_t k = 0; k < rank; ++k) a[i * n + j] += g[i * rank + k] * g[j * rank + k];
    }
  }
  return a;
}

std::vector<double> diagonal(const std::vector<double>& values) {
  std::vector<double> a(values.size() * values.size());
  for (std::size_t i = 0; i < values.size(); ++i) a[i * values.size() + i] = values[i];
  return a;
}

std::vector<double> unit(std::size_t n) {
  return diagonal(std::vector<double>(n, 1));
}

/// Moments of mean 0.
Moments centred(const std::vector<double>& covariance) {
  const auto n = static_cast<std::size_t>(std::sqrt(static_cast<double>(covariance.size())));
  return {10, static_cast<std::int64_t>(n), std::vector<double>(n), covariance};
}

}  // namespace

BOOST_AUTO_TEST_CASE(covariance_with_known_eigenvalues) {
  // From the unit covariance to the second difference, whose eigenvalues are
  // 2 - 2 cos(pi k / (n + 1)).
  constexpr std::size_t n = 40;
  std::vector<double> a(n * n);
  for (std::size_t i = 0; i < n; ++i) {
    a[i * n + i] = 2;
    if (i > 0) a[i * n + i - 1] = a[(i - 1) * n + i] = -1;
  }
  double expected = 3 * n;
  for (std::size_t k = 0; k < n; ++k) {
    const double angle = std::numbers::pi * static_cast<double>(k + 1) / (n + 1);
    expected -= 2 * std::sqrt(2 - 2 * std::cos(angle));
  }
  const double found = frechet_distance(centred(unit(n)), centred(a)).covariance;
  BOOST_TEST(found == expected, tt::tolerance(1e-13));
  BOOST_TEST(frechet_distance(centred(a), centred(unit(n))).covariance == found,
             tt::tolerance(1e-13));
}

BOOST_AUTO_TEST_CASE(square_of_a_covariance_against_the_unit_one) {
  // tr(A^2 + 1 - 2 A) by the trace and the Frobenius norm.
  for (const std::size_t n : {1u, 2u, 3u, 17u, 60u}) {
    const auto a = semidefinite(n, n, 3);
    std::vector<double> square(n * n);
    double trace = 0, squares = 0;
    for (std::size_t i = 0; i < n; ++i) {
      trace += a[i * n + i];
      for (std::size_t j = 0; j < n; ++j) {
        squares += a[i * n + j] * a[i * n + j];
        for (std::size_t k = 0; k < n; ++k) square[i * n + j] += a[i * n + k] * a[k * n + j];
      }
    }
    const double expected = squares + static_cast<double>(n) - 2 * trace;
    BOOST_TEST(frechet_distance(centred(square), centred(unit(n))).covariance == expected,
               tt::tolerance(1e-10));
  }
  BOOST_CHECK_THROW(static_cast<void>(frechet_distance(centred({NAN}), centred({1}))),
                    eflow::NumericError);
}

BOOST_AUTO_TEST_CASE(singular_covariances) {
  for (const std::size_t rank : {12u, 5u}) {
    const Moments a = centred(semidefinite(12, rank, 8));
    BOOST_TEST(std::abs(frechet_distance(a, a).total()) < 1e-10);
  }
  // A large one of low rank, most of whose products have the eigenvalue 0.
  const Moments full = centred(semidefinite(200, 200, 1)), low = centred(semidefinite(200, 67, 2));
  BOOST_TEST(frechet_distance(full, low).total() == frechet_distance(low, full).total(),
             tt::tolerance(1e-6));
}

BOOST_AUTO_TEST_CASE(distances_of_axis_aligned_gaussians) {
  const Moments a{10, 3, {0, 1, 2}, diagonal({1, 4, 9})};
  const Moments b{10, 3, {1, 1, 0}, diagonal({4, 4, 0})};
  const FrechetDistance d = frechet_distance(a, b);
  BOOST_TEST(d.mean == 1 + 4, tt::tolerance(1e-14));
  BOOST_TEST(d.covariance == 1 + 0 + 9, tt::tolerance(1e-12));
  BOOST_TEST(std::abs(frechet_distance(a, a).total()) < 1e-12);
}

BOOST_AUTO_TEST_CASE(distances_are_symmetric_and_rotation_invariant) {
  constexpr std::size_t n = 20;
  const Moments a{50, n, std::vector<double>(n), semidefinite(n, n, 1)};
  const Moments b{50, n, std::vector<double>(n, 0.1), semidefinite(n, 8, 2)};
  // b is singular, so some eigenvalues are 0 up to rounding, which their roots amplify.
  BOOST_TEST(frechet_distance(a, b).total() == frechet_distance(b, a).total(), tt::tolerance(1e-6));
  // A and 4 A commute, so the covariance term is tr (A + 4 A - 2 (2 A)) = tr A in any basis.
  Moments c = a;
  double trace = 0;
  for (std::size_t i = 0; i < n; ++i) trace += a.covariance[i * n + i];
  for (double& value : c.covariance) value *= 4;
  BOOST_TEST(frechet_distance(a, c).total() == trace, tt::tolerance(1e-10));
}

BOOST_AUTO_TEST_CASE(moments_are_those_of_the_rows) {
  const Moments m = moments_of(std::vector<double>{1, 2, 3, 6, 5, 1}, 2);
  BOOST_TEST(m.count == 3);
  BOOST_TEST((m.mean == std::vector<double>{3, 3}), tt::per_element());
  BOOST_TEST(m.covariance[0] == 4, tt::tolerance(1e-14));
  BOOST_TEST(m.covariance[1] == -1, tt::tolerance(1e-14));
  BOOST_TEST(m.covariance[3] == 7, tt::tolerance(1e-14));
  BOOST_CHECK_THROW(static_cast<void>(moments_of(std::vector<double>{1, 2}, 2)),
                    eflow::InvalidArgument);
  BOOST_CHECK_THROW(static_cast<void>(moments_of(std::vector<double>{1, 2, NAN, 4}, 2)),
                    eflow::InvalidArgument);
}

BOOST_AUTO_TEST_CASE(samples_of_one_distribution_have_a_floor_that_falls_with_their_number) {
  const auto distance = [](std::size_t rows) {
    return frechet_distance(moments_of(normals(rows * 8, 5), 8),
                            moments_of(normals(rows * 8, 6), 8))
        .total();
  };
  BOOST_TEST(distance(4000) < 0.1 * distance(200));
  BOOST_TEST(distance(4000) > 0);
}

BOOST_AUTO_TEST_CASE(spectra_show_motion_and_detail) {
  const eflow::Shape shape{1, 1, 4, 4, 4};
  std::vector<float> still(64), moving(64);
  for (std::size_t i = 0; i < 64; ++i) {
    const double w = std::cos(std::numbers::pi * (static_cast<double>(i % 4) + 0.5) * 3 / 4);
    const double t = std::cos(std::numbers::pi * (static_cast<double>(i / 16) + 0.5) * 2 / 4);
    still[i] = static_cast<float>(w);
    moving[i] = static_cast<float>(w * t);
  }
  const ClipSpectra a = spectra_of(still, shape), b = spectra_of(moving, shape);
  BOOST_TEST(a.frame[3] > 1);
  BOOST_TEST(a.frame[0] < 1e-6);
  BOOST_TEST(a.motion[1] < 1e-6);
  BOOST_TEST(b.motion[1] > 1);
  BOOST_TEST(b.motion[0] < 1e-6);
  BOOST_CHECK_THROW(static_cast<void>(spectra_of(still, {1, 1, 4, 4})), eflow::ShapeError);
}

BOOST_AUTO_TEST_CASE(decibels) {
  BOOST_TEST(decibels_apart({1, 1}, {10, 10}) == 10, tt::tolerance(1e-12));
  BOOST_TEST(decibels_apart({1, 0}, {1, 0}) == 0);
  BOOST_CHECK_THROW(static_cast<void>(decibels_apart({1}, {1, 2})), eflow::InvalidArgument);
}
