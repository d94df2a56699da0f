#include "eflow/nn/layers/rope3d.hpp"

#include <cmath>

#include "eflow/core/base/error.hpp"
#include "eflow/core/tensor/device.hpp"
#include "eflow/core/tensor/ops.hpp"

namespace eflow::nn {
namespace {

constexpr double kTheta = 10000;

/// Appends the angles of one axis at one position. Each axis has its own frequencies.
void append_angles(std::vector<double>& angles, std::int64_t position, std::int64_t channels) {
  for (std::int64_t i = 0; i < channels / 2; ++i) {
    const double exponent = -2.0 * static_cast<double>(i) / static_cast<double>(channels);
    angles.push_back(static_cast<double>(position) * std::pow(kTheta, exponent));
  }
}

std::vector<double> angles_of(const Grid3& grid, std::int64_t head_width) {
  const auto [ct, ch, cw] = rope_axis_channels(head_width);
  std::vector<double> angles;
  angles.reserve(static_cast<std::size_t>(grid.count() * head_width / 2));
  for (std::int64_t t = 0; t < grid.t; ++t) {
    for (std::int64_t h = 0; h < grid.h; ++h) {
      for (std::int64_t w = 0; w < grid.w; ++w) {
        append_angles(angles, t, ct);
        append_angles(angles, h, ch);
        append_angles(angles, w, cw);
      }
    }
  }
  return angles;
}

}  // namespace

std::array<std::int64_t, 3> rope_axis_channels(std::int64_t head_width) {
  if (head_width <= 0 || head_width % 2 != 0) {
    throw InvalidArgument(str("[rope3d] expected a positive, even head width, found ", head_width));
  }
  const std::int64_t pairs = head_width / 2, third = pairs / 3;
  return {2 * (pairs - 2 * third), 2 * third, 2 * third};
}

RopeTables RopeTables::of_grid(const Grid3& grid, std::int64_t head_width, DType dtype,
                               const DevicePtr& device) {
  const std::vector<double> angles = angles_of(grid, head_width);
  std::vector<double> cosines, sines;
  for (const double angle : angles) {
    cosines.push_back(std::cos(angle));
    sines.push_back(std::sin(angle));
  }
  const NoGrad off;
  const Shape shape{grid.count(), head_width / 2};
  return {cast(Tensor::from(cosines, shape, device), dtype),
          cast(Tensor::from(sines, shape, device), dtype)};
}

RopeTables RopeTables::at(const Tensor& ids) const {
  return {embedding(cos, ids), embedding(sin, ids)};
}

}  // namespace eflow::nn
