#pragma once
// Frechet distance between two sets of feature vectors, each modelled as a Gaussian. [arXiv
// 1706.08500]
//
//   |mu_a - mu_b|^2 + tr(A + B - 2 (A B)^(1/2))
//
// Means and covariances are accumulated in f64. Between finite samples of one distribution the
// distance is not 0: report it with a floor measured between samples known to agree.

#include <cstdint>
#include <span>
#include <vector>

#include "eflow/core/base/export.hpp"

EFLOW_EXPORT_BEGIN

namespace eflow::trainer {

/// Mean and unbiased covariance of `count` vectors of `size` values.
struct Moments {
  std::int64_t count = 0, size = 0;
  std::vector<double> mean = {};        ///< [size]
  std::vector<double> covariance = {};  ///< [size, size], symmetric
};

/// Moments of rows [count, size]. Throws InvalidArgument for fewer than two rows or a value that is
/// not finite.
[[nodiscard]] Moments moments_of(std::span<const double> rows, std::int64_t size);

/// The distance, split into its two terms.
struct FrechetDistance {
  double mean = 0, covariance = 0;
  [[nodiscard]] double total() const { return mean + covariance; }
};

/// Computes tr (A B)^(1/2) as the sum of the square roots of the eigenvalues of the symmetric
/// matrix F^T B F, where F F^T = A. Throws InvalidArgument if the sizes differ, NumericError if a
/// covariance is not finite.
[[nodiscard]] FrechetDistance frechet_distance(const Moments& a, const Moments& b);

}  // namespace eflow::trainer

EFLOW_EXPORT_END
