#include "eflow/io/media/latent_rgb.hpp"

#include <cmath>
#include <nlohmann/json.hpp>

#include "eflow/core/base/atomic_file.hpp"
#include "eflow/core/base/error.hpp"

namespace eflow::io {
namespace {

constexpr std::uint64_t kMaxBytes = 1 << 20;

}  // namespace

std::vector<float> LatentRgb::apply(std::span<const float> latents, const Shape& shape) const {
  const std::int64_t channels = shape[1], plane = shape[2] * shape[3] * shape[4];
  if (static_cast<std::int64_t>(rows.size()) != 3 * (channels + 1)) {
    throw ShapeError(str("[latent rgb] a map of ", rows.size() / 3 - 1,
                         " channels for latents of shape ", shape));
  }
  std::vector<float> pixels(static_cast<std::size_t>(shape[0] * 3 * plane));
  for (std::int64_t n = 0; n < shape[0]; ++n) {
    for (std::int64_t colour = 0; colour < 3; ++colour) {
      float* const out = pixels.data() + (n * 3 + colour) * plane;
      const auto factor = [&](std::int64_t c) {
        return static_cast<float>(rows[static_cast<std::size_t>(3 * c + colour)]);
      };
      std::fill(out, out + plane, factor(channels));
      for (std::int64_t c = 0; c < channels; ++c) {
        const float* const in = latents.data() + (n * channels + c) * plane;
        for (std::int64_t i = 0; i < plane; ++i) out[i] += factor(c) * in[i];
      }
    }
  }
  return pixels;
}

LatentRgb read_latent_rgb(const std::filesystem::path& folder, std::int64_t channels) {
  const std::filesystem::path path = folder / kLatentRgbName;
  if (!std::filesystem::exists(path)) return {};
  LatentRgb rgb;
  try {
    for (const auto& row : nlohmann::json::parse(read_file(path, kMaxBytes))
                               .at("rgb")
                               .get<std::vector<std::vector<double>>>()) {
      if (row.size() != 3) throw CorruptData("a row has not three numbers");
      rgb.rows.insert(rgb.rows.end(), row.begin(), row.end());
    }
  } catch (const std::exception& error) {
    throw CorruptData(str("[latent rgb] ", path.string(), ": ", error.what()));
  }
  const auto found = static_cast<std::int64_t>(rgb.rows.size()) / 3 - 1;
  if (found != channels) {
    throw CorruptData(str("[latent rgb] ", path.string(), " maps ", found,
                          " channels; the data set has ", channels));
  }
  return rgb;
}

void write_latent_rgb(const std::filesystem::path& folder, const LatentRgb& rgb) {
  nlohmann::json rows = nlohmann::json::array();
  for (std::size_t i = 0; i < rgb.rows.size(); i += 3)
    rows.push_back({rgb.rows[i], rgb.rows[i + 1], rgb.rows[i + 2]});
  write_file_atomically(folder / kLatentRgbName, nlohmann::json{{"rgb", rows}}.dump(1) + "\n");
}

}  // namespace eflow::io
