#include "eflow/trainer/frechet.hpp"

#include <cmath>

#include "eflow/base/error.hpp"
#include "eflow/trainer/symmetric_matrix.hpp"

namespace eflow::trainer {

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
  if (a.size != b.size) {
    throw InvalidArgument(
        str("[frechet] features of ", a.size, " and of ", b.size, " values do not compare"));
  }
  const auto n = static_cast<std::size_t>(a.size);
  FrechetDistance distance;
  for (std::size_t i = 0; i < n; ++i) {
    distance.mean += (a.mean[i] - b.mean[i]) * (a.mean[i] - b.mean[i]);
    distance.covariance += a.covariance[i * n + i] + b.covariance[i * n + i];
  }
  const auto product = sandwich(cholesky(a.covariance, n), b.covariance, n);
  for (const double value : symmetric_eigenvalues(product, n)) {
    distance.covariance -= 2 * std::sqrt(std::max(0.0, value));
  }
  return distance;
}

}  // namespace eflow::trainer
