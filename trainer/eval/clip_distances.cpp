#include "eflow/trainer/eval/clip_distances.hpp"

namespace eflow::trainer {

ClipStatistics::ClipStatistics(const Features& by, std::span<const float> values,
                               const Shape& shape)
    : features(moments_of(by.embed(values, shape), Features::feature_size())),
      spectra(spectra_of(values, shape)) {}

ClipDistances distances(const ClipStatistics& clips, const ClipStatistics& reference) {
  return {clips.features.count, frechet_distance(clips.features, reference.features),
          decibels_apart(clips.spectra.frame, reference.spectra.frame),
          decibels_apart(clips.spectra.motion, reference.spectra.motion)};
}

}  // namespace eflow::trainer
