#pragma once
// Power spectra of clips, over space and over time, without any network. A generator that blurs or
// freezes shows here first.

#include <span>
#include <vector>

#include "eflow/core/base/export.hpp"
#include "eflow/core/base/shape.hpp"

EFLOW_EXPORT_BEGIN

namespace eflow::trainer {

struct ClipSpectra {
  /// Spatial: bin k holds round(sqrt(h^2 + w^2)) = k half waves, over all temporal frequencies.
  std::vector<double> frame = {};
  /// Temporal: bin k holds k + 1 half waves over the clip. The constant part is left out.
  std::vector<double> motion = {};
};

/// Mean squared cosine-transform coefficients of clips [n, C, T, H, W], averaged over the
/// coefficients of each bin. Throws ShapeError.
[[nodiscard]] ClipSpectra spectra_of(std::span<const float> values, const Shape& shape);

/// Root mean square over bins of 10 log10(a / b), in decibels. Bins below 1e-12 of the largest
/// power are raised to that value. Throws InvalidArgument if the sizes differ or are 0.
[[nodiscard]] double decibels_apart(const std::vector<double>& a, const std::vector<double>& b);

}  // namespace eflow::trainer

EFLOW_EXPORT_END
