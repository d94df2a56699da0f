#pragma once
// GELU (tanh form) and its derivative in f64: the reference for kernels and libraries.

#include <cmath>

namespace eflow::test {

inline double gelu(double x) {
  return x / 2 * (1 + std::tanh(std::sqrt(2 / M_PI) * (x + 0.044715 * x * x * x)));
}
inline double gelu_slope(double x) {
  const double c = std::sqrt(2 / M_PI), t = std::tanh(c * (x + 0.044715 * x * x * x));
  return (1 + t + x * (1 - t * t) * c * (1 + 3 * 0.044715 * x * x)) / 2;
}

}  // namespace eflow::test
