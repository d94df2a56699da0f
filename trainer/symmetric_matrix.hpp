#pragma once
// What a Frechet distance needs of linear algebra, in f64 and nothing more: the square root factor
// of a covariance and the eigenvalues of a symmetric matrix. Matrices are n x n, row-major.

#include <vector>

namespace eflow::trainer {

/// Lower triangular L with L L^T = a, for a positive semidefinite `a`: directions without variance
/// (pivots below n eps times the largest diagonal element) become zero columns. O(n^3 / 3).
[[nodiscard]] std::vector<double> cholesky(std::vector<double> a, std::size_t n);

/// L^T b L of a lower triangular L.
[[nodiscard]] std::vector<double> sandwich(const std::vector<double>& lower,
                                           const std::vector<double>& b, std::size_t n);

/// Eigenvalues of a symmetric matrix, ascending: Householder reduction to a tridiagonal matrix, then
/// implicit QL steps [Golub & Van Loan, Matrix Computations, 8.3]. Throws NumericError where a value
/// is not finite or does not converge.
[[nodiscard]] std::vector<double> symmetric_eigenvalues(std::vector<double> a, std::size_t n);

}  // namespace eflow::trainer
