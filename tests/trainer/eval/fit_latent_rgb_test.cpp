// The colours of latents: a linear relation is found exactly, and the map survives a file.
#define BOOST_TEST_MODULE fit_latent_rgb
#include "eflow/trainer/eval/fit_latent_rgb.hpp"

#include <boost/test/unit_test.hpp>
#include <cmath>

#include "eflow/core/base/error.hpp"
#include "eflow/tests/trainer/temporary_folder.hpp"

using namespace eflow;
using namespace eflow::trainer;

namespace {

constexpr std::int64_t kChannels = 4, kFrames = 3, kSide = 4;

double latent_at(std::int64_t clip, std::int64_t c, std::int64_t i) {
  return std::sin(0.7 * static_cast<double>(clip) + 1.3 * static_cast<double>(c) +
                  0.31 * static_cast<double>(i * (c + 1)));
}
/// The colour that a latent stands for: its channels times factors, plus a bias.
double colour_at(std::int64_t clip, std::int64_t colour, std::int64_t i) {
  double value = 0.1 * static_cast<double>(colour);
  for (std::int64_t c = 0; c < kChannels; ++c)
    value += 0.2 * static_cast<double>(c - colour) * latent_at(clip, c, i);
  return value;
}

class Latents final : public io::ClipSource {
 public:
  [[nodiscard]] std::int64_t size() const override { return 5; }
  [[nodiscard]] Shape clip_shape() const override { return {kChannels, kFrames, kSide, kSide}; }
  [[nodiscard]] std::int64_t class_count() const override { return 0; }
  std::int32_t read(std::int64_t clip, std::span<float> out) const override {
    const std::int64_t plane = kFrames * kSide * kSide;
    for (std::int64_t e = 0; e < kChannels * plane; ++e)
      out[static_cast<std::size_t>(e)] = static_cast<float>(latent_at(clip, e / plane, e % plane));
    return 0;
  }
};

/// Pixels of twice the size and 1 + 4 (T - 1) frames, as a causal encoder has them, around whose
/// mean the pixels of a patch vary.
class Pixels final : public io::ClipSource {
 public:
  explicit Pixels(std::int64_t frames) : frames_(frames) {}
  [[nodiscard]] std::int64_t size() const override { return 5; }
  [[nodiscard]] Shape clip_shape() const override { return {3, frames_, 2 * kSide, 2 * kSide}; }
  [[nodiscard]] std::int64_t class_count() const override { return 0; }
  std::int32_t read(std::int64_t clip, std::span<float> out) const override {
    std::size_t at = 0;
    for (std::int64_t c = 0; c < 3; ++c)
      for (std::int64_t t = 0; t < frames_; ++t)
        for (std::int64_t h = 0; h < 2 * kSide; ++h)
          for (std::int64_t w = 0; w < 2 * kSide; ++w) {
            const std::int64_t latent = ((t + 3) / 4 * kSide + h / 2) * kSide + w / 2;
            out[at++] =
                static_cast<float>(colour_at(clip, c, latent) + ((h + w) % 2 == 0 ? 0.05 : -0.05));
          }
    return 0;
  }

 private:
  std::int64_t frames_;
};

}  // namespace

BOOST_AUTO_TEST_CASE(a_linear_map_is_found) {
  const LatentRgbFit fit = fit_latent_rgb(Latents(), Pixels(1 + 4 * (kFrames - 1)), 5);
  BOOST_TEST(fit.explained > 0.999);
  for (std::int64_t c = 0; c < kChannels; ++c)
    for (std::int64_t colour = 0; colour < 3; ++colour)
      BOOST_TEST(std::abs(fit.rgb.rows.at(static_cast<std::size_t>(3 * c + colour)) -
                          0.2 * static_cast<double>(c - colour)) < 1e-3);
  std::vector<float> latents(kChannels * kFrames * kSide * kSide);
  Latents().read(2, latents);
  const auto pixels = fit.rgb.apply(latents, {1, kChannels, kFrames, kSide, kSide});
  BOOST_TEST(pixels.size() == 3u * kFrames * kSide * kSide);
  BOOST_TEST(std::abs(pixels[60] - colour_at(2, 1, 12)) < 1e-3);

  const TemporaryFolder folder;
  BOOST_TEST(!io::read_latent_rgb(folder.path(), kChannels).defined());
  io::write_latent_rgb(folder.path(), fit.rgb);
  BOOST_TEST(io::read_latent_rgb(folder.path(), kChannels).rows == fit.rgb.rows,
             boost::test_tools::per_element());
  BOOST_CHECK_THROW(static_cast<void>(io::read_latent_rgb(folder.path(), 3)), CorruptData);
  BOOST_CHECK_THROW(static_cast<void>(fit.rgb.apply(latents, {1, 3, kFrames, kSide, kSide})),
                    ShapeError);
}

BOOST_AUTO_TEST_CASE(clips_that_do_not_fit_are_refused) {
  BOOST_CHECK_THROW(static_cast<void>(fit_latent_rgb(Latents(), Pixels(8), 5)), InvalidArgument);
  BOOST_CHECK_THROW(static_cast<void>(fit_latent_rgb(Latents(), Latents(), 5)), InvalidArgument);
}
