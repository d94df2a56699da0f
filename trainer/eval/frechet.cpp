#include "eflow/trainer/eval/frechet.hpp"

#define EIGEN_MPL2_ONLY
#include <Eigen/Cholesky>
#include <Eigen/Eigenvalues>
#include <cmath>
#include <limits>

#include "eflow/core/base/error.hpp"

namespace eflow::trainer {
namespace {

using Matrix = Eigen::Map<const Eigen::MatrixXd>;

/// Maps a covariance; it is symmetric, so that the order of its elements does not matter.
Matrix covariance_of(const Moments& m) {
  const Matrix covariance(m.covariance.data(), m.size, m.size);
  if (!covariance.allFinite()) throw NumericError("[frechet] a covariance is not finite");
  return covariance;
}

/// Returns the square roots of `values`. A value of at most n eps `largest` is a rounding error of 0;
/// its root would not be small.
Eigen::VectorXd roots_of(const Eigen::VectorXd& values, double largest) {
  const double tiny =
      static_cast<double>(values.size()) * std::numeric_limits<double>::epsilon() * largest;
  return values.unaryExpr([=](double value) { return value > tiny ? std::sqrt(value) : 0.0; });
}

/// Returns F with F F^T = a for a positive semidefinite `a`.
Eigen::MatrixXd root_factor(const Matrix& a) {
  const Eigen::LDLT<Eigen::MatrixXd> ldlt(a);
  const Eigen::VectorXd roots = roots_of(ldlt.vectorD(), a.diagonal().maxCoeff());
  return ldlt.transpositionsP().transpose() *
         (Eigen::MatrixXd(ldlt.matrixL()) * roots.asDiagonal());
}

}  // namespace

Moments moments_of(std::span<const double> rows, std::int64_t size) {
  const auto n = static_cast<std::size_t>(size);
  Moments m{size > 0 ? static_cast<std::int64_t>(rows.size() / n) : 0, size, {}, {}};
  if (m.count < 2 || rows.size() % n != 0) {
    throw InvalidArgument(str("[frechet] expected at least two rows of ", size, " features, found ",
                              rows.size(), " values"));
  }
  const auto count = static_cast<double>(m.count);
  m.mean.assign(n, 0);
  m.covariance.assign(n * n, 0);
  for (std::size_t i = 0; i < rows.size(); ++i) {
    if (!std::isfinite(rows[i])) {
      throw InvalidArgument(str("[frechet] feature ", i % n, " of row ", i / n, " is ", rows[i]));
    }
    m.mean[i % n] += rows[i] / count;
  }
  std::vector<double> away(n);
  for (std::size_t row = 0; row < rows.size(); row += n) {
    for (std::size_t i = 0; i < n; ++i) away[i] = rows[row + i] - m.mean[i];
    for (std::size_t i = 0; i < n; ++i) {
      for (std::size_t j = 0; j < n; ++j) m.covariance[i * n + j] += away[i] * away[j];
    }
  }
  for (double& value : m.covariance) value /= count - 1;
  return m;
}

FrechetDistance frechet_distance(const Moments& a, const Moments& b) {
  if (a.size != b.size || a.size < 1) {
    throw InvalidArgument(
        str("[frechet] cannot compare features of ", a.size, " and of ", b.size, " values"));
  }
  FrechetDistance distance;
  for (std::size_t i = 0; i < a.mean.size(); ++i)
    distance.mean += (a.mean[i] - b.mean[i]) * (a.mean[i] - b.mean[i]);
  const Matrix of_a = covariance_of(a), of_b = covariance_of(b);
  // A B has the eigenvalues of F^T B F with A = F F^T, which is symmetric.
  const Eigen::MatrixXd root = root_factor(of_a);
  const Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd> solver(root.transpose() * of_b * root,
                                                              Eigen::EigenvaluesOnly);
  if (solver.info() != Eigen::Success)
    throw NumericError("[frechet] the eigenvalues do not converge");
  const Eigen::VectorXd& values = solver.eigenvalues();  // ascending
  distance.covariance =
      of_a.trace() + of_b.trace() - 2 * roots_of(values, values(values.size() - 1)).sum();
  return distance;
}

}  // namespace eflow::trainer
