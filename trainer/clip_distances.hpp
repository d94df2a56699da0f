#pragma once
// How far a set of clips is from another: by a classifier's features and by raw spectra. Of finite
// sets, so two halves of one data set are not 0 apart either; that floor belongs beside a distance.

#include "eflow/trainer/clip_spectra.hpp"
#include "eflow/trainer/features.hpp"
#include "eflow/trainer/frechet.hpp"

namespace eflow::trainer {

/// What is compared of clips.
struct ClipStatistics {
  Moments features;  ///< of the classifier's last layer
  ClipSpectra spectra;
  /// values [n, C, T, H, W], n >= 2.
  ClipStatistics(const Features& features, std::span<const float> values, const Shape& shape);
};

struct ClipDistances {
  std::int64_t count = 0;              ///< clips that are measured
  FrechetDistance frechet;             ///< Frechet video distance on these features
  double frame_db = 0, motion_db = 0;  ///< spectra, in decibels
};

[[nodiscard]] ClipDistances distances(const ClipStatistics& clips, const ClipStatistics& reference);

}  // namespace eflow::trainer
