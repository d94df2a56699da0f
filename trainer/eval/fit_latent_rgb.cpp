#include "eflow/trainer/eval/fit_latent_rgb.hpp"

#include <Eigen/Dense>
#include <algorithm>
#include <utility>
#include <vector>

#include "eflow/core/base/error.hpp"

namespace eflow::trainer {
namespace {

/// Pixel frames per latent frame of a causal encoder, 1 + r (T - 1) = T'; 0 if there is no such r
/// that is a power of two.
std::int64_t causal_ratio(std::int64_t latent_frames, std::int64_t pixel_frames) {
  if (latent_frames < 2 || (pixel_frames - 1) % (latent_frames - 1) != 0) return 0;
  const std::int64_t ratio = (pixel_frames - 1) / (latent_frames - 1);
  return (ratio & (ratio - 1)) == 0 ? ratio : 0;
}

/// The pixel frames [first, last) of latent frame t.
std::pair<std::int64_t, std::int64_t> frames_of(std::int64_t t, std::int64_t latent_frames,
                                                std::int64_t pixel_frames) {
  if (const std::int64_t ratio = causal_ratio(latent_frames, pixel_frames); ratio > 0)
    return t == 0 ? std::pair<std::int64_t, std::int64_t>{0, 1}
                  : std::pair{1 + (t - 1) * ratio, 1 + t * ratio};
  const std::int64_t step = pixel_frames / latent_frames;
  return {t * step, (t + 1) * step};
}

void check(const io::ClipSource& latents, const io::ClipSource& pixels) {
  const Shape z = latents.clip_shape(), x = pixels.clip_shape();
  const bool time = x[1] % z[1] == 0 || causal_ratio(z[1], x[1]) > 0;
  if (x[0] == 3 && time && x[2] % z[2] == 0 && x[3] % z[3] == 0 && latents.size() == pixels.size())
    return;
  throw InvalidArgument(str("[latent rgb] ", latents.size(), " latents ", z, " and ", pixels.size(),
                            " clips of pixels ", x,
                            "; expected as many clips of 3 channels, whose frames, height and "
                            "width are multiples of the latents' (frames: or one more)"));
}

/// Mean pixel of the patch of latent (t, h, w), for one colour.
double patch_mean(const std::vector<float>& pixels, const Shape& x, const Shape& z, std::int64_t c,
                  std::int64_t t, std::int64_t h, std::int64_t w) {
  const std::int64_t rows = x[2] / z[2], columns = x[3] / z[3];
  const auto [first, last] = frames_of(t, z[1], x[1]);
  double sum = 0;
  for (std::int64_t f = first; f < last; ++f)
    for (std::int64_t i = h * rows; i < (h + 1) * rows; ++i)
      for (std::int64_t j = w * columns; j < (w + 1) * columns; ++j)
        sum += pixels[static_cast<std::size_t>(((c * x[1] + f) * x[2] + i) * x[3] + j)];
  return sum / static_cast<double>((last - first) * rows * columns);
}

}  // namespace

LatentRgbFit fit_latent_rgb(const io::ClipSource& latents, const io::ClipSource& pixels,
                            std::int64_t clips) {
  check(latents, pixels);
  const Shape z = latents.clip_shape(), x = pixels.clip_shape();
  const std::int64_t channels = z[0], plane = z[1] * z[2] * z[3];
  Eigen::MatrixXd squares = Eigen::MatrixXd::Zero(channels + 1, channels + 1);
  Eigen::MatrixXd products = Eigen::MatrixXd::Zero(channels + 1, 3);
  Eigen::Vector3d sums = Eigen::Vector3d::Zero(), sums_of_squares = Eigen::Vector3d::Zero();
  std::vector<float> latent(static_cast<std::size_t>(element_count(z))),
      pixel(static_cast<std::size_t>(element_count(x)));
  const std::int64_t count = std::min(clips, latents.size());
  for (std::int64_t n = 0; n < count; ++n) {
    const std::int64_t clip = n * latents.size() / count;  // from all over the set
    latents.read(clip, latent);
    pixels.read(clip, pixel);
    Eigen::VectorXd row(channels + 1);
    row[channels] = 1;
    for (std::int64_t i = 0; i < plane; ++i) {
      for (std::int64_t c = 0; c < channels; ++c)
        row[c] = latent[static_cast<std::size_t>(c * plane + i)];
      Eigen::Vector3d colour;
      for (std::int64_t c = 0; c < 3; ++c)
        colour[c] = patch_mean(pixel, x, z, c, i / (z[2] * z[3]), i / z[3] % z[2], i % z[3]);
      squares += row * row.transpose();
      products += row * colour.transpose();
      sums += colour;
      sums_of_squares += colour.cwiseProduct(colour);
    }
  }
  const double total = static_cast<double>(count * plane);
  squares.diagonal().array() += 1e-6 * total;  // channels may be constant or repeat each other
  const Eigen::MatrixXd map = squares.ldlt().solve(products);
  const double variance = (sums_of_squares - sums.cwiseProduct(sums) / total).sum();
  const double rest = sums_of_squares.sum() - map.cwiseProduct(products).sum();
  LatentRgbFit fit;
  fit.explained = variance > 0 ? 1 - rest / variance : 1;
  for (std::int64_t c = 0; c <= channels; ++c)
    for (std::int64_t colour = 0; colour < 3; ++colour) fit.rgb.rows.push_back(map(c, colour));
  return fit;
}

}  // namespace eflow::trainer
