#pragma once
// GaussianFlow: an exactly known flow for tests. The data are N(mu, U diag(lambda) U^T) under x_t =
// (1 - t) x0 + t x1. Velocity and solution are affine in x, with one factor per direction of U, an
// orthonormal cosine basis that mixes all elements.

#include <cmath>
#include <numbers>

#include "eflow/soflow/objective/interpolant.hpp"
#include "eflow/tests/support/model_check.hpp"

namespace eflow::test {

class GaussianFlow {
 public:
  /// x has `size` elements, with variances lambda_k = 1 / (1 + k^2).
  explicit GaussianFlow(std::int64_t size) : size_(size), mean_(values({1, size}, 77, 0.5)) {
    std::vector<double> u;
    const auto n = static_cast<double>(size);
    for (int i = 0; i < size; ++i) {
      for (int k = 0; k < size; ++k) {
        const double scale = std::sqrt((k == 0 ? 1 : 2) / n);
        u.push_back(scale * std::cos(std::numbers::pi * (i + 0.5) * k / n));
      }
      lambda_.push_back(1 / (1.0 + i * i));
    }
    basis_ = Tensor::from(u, {size, size});
  }

  [[nodiscard]] const std::vector<double>& lambda() const { return lambda_; }
  [[nodiscard]] Tensor mean() const { return mean_; }

  /// mu + U sqrt(lambda) z for standard normal z [B, size].
  [[nodiscard]] Tensor data(const Tensor& z) const {
    return mean_ + along(z, [](double lam) { return std::sqrt(lam); });
  }

  /// The marginal velocity E[x1 - x0 | x_t]; all samples share t.
  [[nodiscard]] Tensor velocity(const Tensor& x, double t) const {
    return along_basis(x - (1 - t) * mean_,
                       [t](double lam) { return (t - (1 - t) * lam) / variance(lam, t); }) -
           mean_;
  }

  /// f(x, t, s)
  [[nodiscard]] Tensor solution(const Tensor& x, double t, double s) const {
    return (1 - s) * mean_ + along_basis(x - (1 - t) * mean_, [t, s](double lam) {
             return std::sqrt(variance(lam, s) / variance(lam, t));
           });
  }

  /// The exact mean velocity F as a network, with one t and s per sample.
  [[nodiscard]] soflow::Network network() const {
    return [this](const Tensor& x, const Tensor& t, const Tensor& s, const nn::Condition&) {
      const auto from = t.to_vector<double>(), to = s.to_vector<double>();
      std::vector<Tensor> rows;
      for (std::size_t i = 0; i < from.size(); ++i) {
        const Tensor row = narrow(x, 0, static_cast<std::int64_t>(i), 1);
        rows.push_back(from[i] == to[i]
                           ? velocity(row, from[i])
                           : (solution(row, from[i], to[i]) - row) / (to[i] - from[i]));
      }
      return concat(rows, 0);
    };
  }

  /// sigma_t^2
  [[nodiscard]] static double variance(double lam, double t) {
    return (1 - t) * (1 - t) * lam + t * t;
  }

 private:
  /// U diag(factor(lambda)) z
  template <class Factor>
  [[nodiscard]] Tensor along(const Tensor& z, const Factor& factor) const {
    std::vector<double> factors;
    for (const double lam : lambda_) factors.push_back(factor(lam));
    return linear(z * Tensor::from(factors, {1, size_}), basis_);
  }
  /// U diag(factor(lambda)) U^T x
  template <class Factor>
  [[nodiscard]] Tensor along_basis(const Tensor& x, const Factor& factor) const {
    return along(matmul(x, basis_), factor);
  }

  std::int64_t size_;
  Tensor mean_, basis_;
  std::vector<double> lambda_;
};

}  // namespace eflow::test
