#pragma once
// Writes clips as pictures: a contact sheet (PNG) and an animation (WebP).

#include <filesystem>

#include "eflow/core/base/export.hpp"
#include "eflow/trainer/data/data_info.hpp"
#include "eflow/trainer/run/generator.hpp"

EFLOW_EXPORT_BEGIN

namespace eflow::trainer {

/// Writes a contact sheet (one row per clip, frames from left to right) and an animation at `fps`
/// frames per second. Latents are shown in the colours of `rgb`; without it, clips with 2 channels
/// show the first, with more than 3 the first three. Throws IoError, NoSpaceError.
void write_pictures(const GeneratedClips& clips, double fps, const std::filesystem::path& sheet_png,
                    const std::filesystem::path& clips_webp, const io::LatentRgb& rgb = {});

/// Samples clips [first, first + count) of those that the [sample] section describes; each depends
/// on its number alone. Seed and labels are the same at every step of a run. `contexts`
/// [sample.count, L, E] are those of the clips of a model that takes text; undefined: the null
/// context.
[[nodiscard]] GeneratedClips preview_clips(const nn::VideoDiT& model, const Config& config,
                                           const DataInfo& data, const Tensor& contexts,
                                           std::int64_t first, std::int64_t count);

}  // namespace eflow::trainer

EFLOW_EXPORT_END
