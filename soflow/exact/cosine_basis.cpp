#include "eflow/soflow/exact/cosine_basis.hpp"

#include <cmath>
#include <numbers>

#include "eflow/core/base/error.hpp"

namespace eflow::soflow {
namespace {

/// The orthonormal DCT-II matrix of size n, one row per k.
std::vector<double> cosines(std::int64_t n) {
  std::vector<double> rows;
  for (std::int64_t k = 0; k < n; ++k) {
    const double scale = std::sqrt((k == 0 ? 1.0 : 2.0) / static_cast<double>(n));
    for (std::int64_t i = 0; i < n; ++i) {
      const double angle = (static_cast<double>(i) + 0.5) * static_cast<double>(k);
      rows.push_back(scale * std::cos(std::numbers::pi * angle / static_cast<double>(n)));
    }
  }
  return rows;
}

/// Multiplies each line of n values, `stride` apart, by the n x n matrix or its transpose.
void multiply(std::span<double> values, const std::vector<double>& matrix, std::int64_t n,
              std::int64_t stride, bool transposed) {
  std::vector<double> line(static_cast<std::size_t>(n));
  const auto count = static_cast<std::int64_t>(values.size());
  for (std::int64_t first = 0; first < count; ++first) {
    if (first / stride % n != 0) continue;
    for (std::int64_t i = 0; i < n; ++i) {
      double sum = 0;
      for (std::int64_t j = 0; j < n; ++j) {
        const auto entry = static_cast<std::size_t>(transposed ? j * n + i : i * n + j);
        sum += matrix[entry] * values[static_cast<std::size_t>(first + j * stride)];
      }
      line[static_cast<std::size_t>(i)] = sum;
    }
    for (std::int64_t i = 0; i < n; ++i) {
      values[static_cast<std::size_t>(first + i * stride)] = line[static_cast<std::size_t>(i)];
    }
  }
}

}  // namespace

CosineBasis::CosineBasis(const Shape& clip) : shape_(clip) {
  if (clip.rank() != 4) throw ShapeError(str("[cosine basis] expected [C, T, H, W], found ", clip));
  for (const int axis : {1, 2, 3}) axes_.push_back(cosines(clip[axis]));
}

CosineBasis::Waves CosineBasis::waves(std::int64_t i) const {
  return {i / (shape_[3] * shape_[2]) % shape_[1], i / shape_[3] % shape_[2], i % shape_[3]};
}

double CosineBasis::frequency(std::int64_t i) const {
  const auto [t, h, w] = waves(i);
  return static_cast<double>(t * t + h * h + w * w);
}

bool CosineBasis::is_slow(std::int64_t i) const {
  const auto [t, h, w] = waves(i);
  return t < 2 && h < 2 && w < 2;
}

void CosineBasis::transform(std::span<double> values, bool back) const {
  if (static_cast<std::int64_t>(values.size()) != size()) {
    throw ShapeError(str("[cosine basis] found ", values.size(), " values; expected the ", size(),
                         " of a clip ", shape_));
  }
  multiply(values, axes_[0], shape_[1], shape_[2] * shape_[3], back);
  multiply(values, axes_[1], shape_[2], shape_[3], back);
  multiply(values, axes_[2], shape_[3], 1, back);
}

}  // namespace eflow::soflow
