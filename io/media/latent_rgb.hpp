#pragma once
// LatentRgb: a linear map from the channels of latents to colours, which shows roughly what latents
// decode to without their decoder. It is kept beside a data set as latent_rgb.json.

#include <filesystem>
#include <span>
#include <vector>

#include "eflow/core/base/export.hpp"
#include "eflow/core/base/shape.hpp"

EFLOW_EXPORT_BEGIN

namespace eflow::io {

inline constexpr const char* kLatentRgbName = "latent_rgb.json";

/// Row c < C holds the red, green and blue of channel c, row C the bias; in pixels of [-1, 1] from
/// the latents as a network sees them.
struct LatentRgb {
  std::vector<double> rows{};  ///< [C + 1, 3], or empty: none

  [[nodiscard]] bool defined() const { return !rows.empty(); }
  /// Pixels [n, 3, T, H, W] of latents [n, C, T, H, W]. Throws ShapeError for another C.
  [[nodiscard]] std::vector<float> apply(std::span<const float> latents, const Shape& shape) const;
};

/// Reads `folder`/latent_rgb.json; none if there is no such file. Throws CorruptData unless it has a
/// map for `channels`.
[[nodiscard]] LatentRgb read_latent_rgb(const std::filesystem::path& folder, std::int64_t channels);
/// Writes it. Throws IoError, NoSpaceError.
void write_latent_rgb(const std::filesystem::path& folder, const LatentRgb& rgb);

}  // namespace eflow::io

EFLOW_EXPORT_END
