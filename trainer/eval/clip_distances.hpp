#pragma once
// Distances between two sets of clips, by a classifier's features and by raw spectra. Both sets are
// finite, so even two halves of one data set are not at distance 0: report such a floor with every
// distance.

#include "eflow/core/base/export.hpp"
#include "eflow/trainer/eval/clip_spectra.hpp"
#include "eflow/trainer/eval/features.hpp"
#include "eflow/trainer/eval/frechet.hpp"

EFLOW_EXPORT_BEGIN

namespace eflow::trainer {

/// The statistics of a set of clips that are compared.
struct ClipStatistics {
  Moments features;  ///< of the classifier's features
  ClipSpectra spectra;
  /// values [n, C, T, H, W], n >= 2. Throws InvalidArgument for fewer clips, ShapeError.
  ClipStatistics(const Features& features, std::span<const float> values, const Shape& shape);
};

struct ClipDistances {
  std::int64_t count = 0;              ///< clips compared with the reference
  FrechetDistance frechet = {};        ///< Frechet video distance on the classifier's features
  double frame_db = 0, motion_db = 0;  ///< distances of the spectra, in decibels
};

/// Distances of `clips` from `reference`; both must come from the same classifier and clip shape.
[[nodiscard]] ClipDistances distances(const ClipStatistics& clips, const ClipStatistics& reference);

}  // namespace eflow::trainer

EFLOW_EXPORT_END
