#pragma once
// Clips as files to look at: a contact sheet (PNG) and an animation (WebP).

#include <filesystem>

#include "eflow/trainer/data_info.hpp"
#include "eflow/trainer/generator.hpp"

namespace eflow::trainer {

/// Writes sheet (one row a clip, frames left to right) and animation. Throws IoError, NoSpaceError.
void write_pictures(const GeneratedClips& clips, double fps, const std::filesystem::path& sheet_png,
                    const std::filesystem::path& clips_webp);

/// Clips that [sample] asks for, with its seed: the same noise and labels at every step of a run.
void write_preview(const nn::VideoDiT& model, const Config& config, const DataInfo& data,
                   const std::filesystem::path& stem);

}  // namespace eflow::trainer
