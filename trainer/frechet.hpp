#pragma once
// Frechet distance between two sets of feature vectors, each seen as a Gaussian. [arXiv 1706.08500]
//
//   |mu_a - mu_b|^2 + tr(A + B - 2 (A B)^(1/2))
//
// The mean and covariance are summed in f64. The distance between finite samples of one distribution
// is not 0: set a floor beside it, from samples that are known to be alike.

#include <cstdint>
#include <span>
#include <vector>

namespace eflow::trainer {

/// Mean and unbiased covariance of `count` vectors.
struct Moments {
  std::int64_t count = 0, size = 0;
  std::vector<double> mean;        ///< [size]
  std::vector<double> covariance;  ///< [size, size]
};

/// rows [count, size]. Throws InvalidArgument for fewer than two rows or a value that is not finite.
[[nodiscard]] Moments moments_of(std::span<const double> rows, std::int64_t size);

/// Its parts: of the means and of the covariances.
struct FrechetDistance {
  double mean = 0, covariance = 0;
  [[nodiscard]] double total() const { return mean + covariance; }
};

/// tr (A B)^(1/2) is the sum of the roots of the eigenvalues of L^T B L, L L^T = A, which is
/// symmetric. Throws InvalidArgument for different sizes.
[[nodiscard]] FrechetDistance frechet_distance(const Moments& a, const Moments& b);

}  // namespace eflow::trainer
