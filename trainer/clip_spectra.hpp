#pragma once
// Raw statistics of clips, without any network: how much power they have at each spatial frequency
// of a frame and at each frequency of motion. A generator that blurs or freezes shows here first.

#include <span>
#include <vector>

#include "eflow/base/shape.hpp"

namespace eflow::trainer {

struct ClipSpectra {
  std::vector<double> frame;   ///< by round(sqrt(h^2 + w^2)) half waves, all of time together
  std::vector<double> motion;  ///< by half waves over time, without the still part of every clip
};

/// Mean powers of the cosine coordinates of clips [n, C, T, H, W], each bin's mean over its
/// coordinates. Throws ShapeError.
[[nodiscard]] ClipSpectra spectra_of(std::span<const float> values, const Shape& shape);

/// Root mean square over bins of 10 log10(a / b): how many decibels the two are apart. Bins of less
/// than 1e-12 of the largest power count as that.
[[nodiscard]] double decibels_apart(const std::vector<double>& a, const std::vector<double>& b);

}  // namespace eflow::trainer
