#include "eflow/trainer/symmetric_matrix.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "eflow/base/error.hpp"

namespace eflow::trainer {
namespace {

constexpr double kEpsilon = std::numeric_limits<double>::epsilon();

struct Tridiagonal {
  std::vector<double> diagonal, beside;  ///< beside[i] stands between i and i + 1
};

/// One Householder reflection I - 2 u u^T that clears column k below k + 1; returns the new element
/// there and leaves `a` reflected on both sides in rows and columns k + 1 and up.
double reflect(std::vector<double>* matrix, std::size_t n, std::size_t k) {
  std::vector<double>& a = *matrix;
  double norm = 0;
  for (std::size_t i = k + 1; i < n; ++i) norm = std::hypot(norm, a[i * n + k]);
  const double head = a[(k + 1) * n + k], target = head > 0 ? -norm : norm;
  if (norm == 0) return 0;
  std::vector<double> u(n), p(n);
  double length = 0;
  for (std::size_t i = k + 1; i < n; ++i) {
    u[i] = a[i * n + k] - (i == k + 1 ? target : 0);
    length = std::hypot(length, u[i]);
  }
  if (length == 0) return target;
  for (double& value : u) value /= length;
  // A - 2 u q^T - 2 q u^T with p = A u, q = p - (u^T p) u.
  double overlap = 0;
  for (std::size_t i = k + 1; i < n; ++i) {
    for (std::size_t j = k + 1; j < n; ++j) p[i] += a[i * n + j] * u[j];
    overlap += u[i] * p[i];
  }
  for (std::size_t i = k + 1; i < n; ++i) p[i] -= overlap * u[i];
  for (std::size_t i = k + 1; i < n; ++i) {
    for (std::size_t j = k + 1; j < n; ++j) a[i * n + j] -= 2 * (u[i] * p[j] + p[i] * u[j]);
  }
  return target;
}

Tridiagonal reduce(std::vector<double> a, std::size_t n) {
  Tridiagonal t;
  for (std::size_t k = 0; k < n; ++k) {
    t.diagonal.push_back(a[k * n + k]);
    if (k + 2 < n) {
      t.beside.push_back(reflect(&a, n, k));
    } else if (k + 1 < n) {
      t.beside.push_back(a[(k + 1) * n + k]);
    }
  }
  t.beside.push_back(0);
  return t;
}

/// One implicit QL step with Wilkinson's shift on rows first .. last.
void ql_step(Tridiagonal* t, std::size_t first, std::size_t last) {
  auto& d = t->diagonal;
  auto& e = t->beside;
  const double half = (d[first + 1] - d[first]) / (2 * e[first]);
  double g = d[last] - d[first] + e[first] / (half + std::copysign(std::hypot(half, 1), half));
  double s = 1, c = 1, p = 0;
  for (std::size_t i = last; i-- > first;) {
    const double f = s * e[i], b = c * e[i];
    double r = std::hypot(f, g);
    e[i + 1] = r;
    if (r == 0) {
      d[i + 1] -= p;
      e[last] = 0;
      return;
    }
    s = f / r;
    c = g / r;
    g = d[i + 1] - p;
    r = (d[i] - g) * s + 2 * c * b;
    p = s * r;
    d[i + 1] = g + p;
    g = c * r - b;
  }
  d[first] -= p;
  e[first] = g;
  e[last] = 0;
}

/// The first row from `first` on after which the matrix falls apart.
std::size_t end_of_block(const Tridiagonal& t, std::size_t first) {
  std::size_t i = first;
  while (i + 1 < t.diagonal.size()) {
    const double size = std::abs(t.diagonal[i]) + std::abs(t.diagonal[i + 1]);
    if (std::abs(t.beside[i]) <= kEpsilon * size) break;
    ++i;
  }
  return i;
}

}  // namespace

std::vector<double> cholesky(std::vector<double> a, std::size_t n) {
  double largest = 0;
  for (std::size_t i = 0; i < n; ++i) largest = std::max(largest, a[i * n + i]);
  const double tiny = static_cast<double>(n) * kEpsilon * largest;
  for (std::size_t k = 0; k < n; ++k) {
    double* row = a.data() + k * n;
    for (std::size_t j = 0; j < k; ++j) {
      const double* other = a.data() + j * n;
      for (std::size_t i = 0; i < j; ++i) row[j] -= row[i] * other[i];
      row[j] = other[j] > 0 ? row[j] / other[j] : 0;
    }
    for (std::size_t j = 0; j < k; ++j) row[k] -= row[j] * row[j];
    row[k] = row[k] > tiny ? std::sqrt(row[k]) : 0;
    std::fill(row + k + 1, row + n, 0.0);
  }
  return a;
}

std::vector<double> sandwich(const std::vector<double>& lower, const std::vector<double>& b,
                             std::size_t n) {
  std::vector<double> half(n * n), result(n * n);  // b L, then L^T (b L)
  for (std::size_t i = 0; i < n; ++i) {
    for (std::size_t k = 0; k < n; ++k) {
      for (std::size_t j = 0; j <= k; ++j) half[i * n + j] += b[i * n + k] * lower[k * n + j];
    }
  }
  for (std::size_t k = 0; k < n; ++k) {
    for (std::size_t i = 0; i <= k; ++i) {
      for (std::size_t j = 0; j < n; ++j) result[i * n + j] += lower[k * n + i] * half[k * n + j];
    }
  }
  return result;
}

std::vector<double> symmetric_eigenvalues(std::vector<double> a, std::size_t n) {
  for (const double value : a) {
    if (!std::isfinite(value)) throw NumericError("[eigenvalues] the matrix is not finite");
  }
  Tridiagonal t = reduce(std::move(a), n);
  for (std::size_t first = 0; first < n; ++first) {
    int steps = 0;
    for (std::size_t last; (last = end_of_block(t, first)) != first;) {
      if (++steps > 100) throw NumericError("[eigenvalues] no convergence after 100 steps");
      ql_step(&t, first, last);
    }
  }
  std::sort(t.diagonal.begin(), t.diagonal.end());
  return t.diagonal;
}

}  // namespace eflow::trainer
