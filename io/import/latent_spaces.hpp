#pragma once
// The statistics of well-known latent spaces, with which their models see latents.

#include <optional>
#include <string>

#include "eflow/core/base/export.hpp"
#include "eflow/io/shard/manifest.hpp"

EFLOW_EXPORT_BEGIN

namespace eflow::io {

/// "wan2.1": the 16 channels of Wan 2.1's VAE, as in its published config. nullopt for other names.
[[nodiscard]] std::optional<LatentSpace> known_latent_space(const std::string& name);

/// Reads {"mean": [...], "std": [...], "name": "..."} (name optional), or a VAE's config.json with
/// "latents_mean" and "latents_std". Throws InvalidArgument, CorruptData, IoError.
[[nodiscard]] LatentSpace read_latent_space(const std::filesystem::path& path);

}  // namespace eflow::io

EFLOW_EXPORT_END
