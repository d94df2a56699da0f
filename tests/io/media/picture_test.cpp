// PNG, WebP, contact sheets and montages: decoding gives the original pixels.
#define BOOST_TEST_MODULE picture
#include <boost/test/unit_test.hpp>
#include <cmath>
#include <cstdint>
#include <limits>

#include "eflow/core/base/error.hpp"
#include "eflow/io/media/contact_sheet.hpp"
#include "eflow/io/media/png.hpp"
#include "eflow/io/media/webp.hpp"
#include "eflow/tests/io/io_support.hpp"
#include "eflow/tests/io/media/picture_reader.hpp"

using namespace eflow;
using namespace eflow::test;
using eflow::io::Image;

namespace {

Image colourful(int width, int height, int salt) {
  Image image(width, height);
  for (std::size_t i = 0; i < image.rgb.size(); ++i) {
    image.rgb[i] = static_cast<std::uint8_t>(i * 37 + static_cast<std::size_t>(salt) * 11);
  }
  return image;
}

io::Rgb at(const Image& image, int x, int y) {
  const std::uint8_t* p = image.at(x, y);
  return {p[0], p[1], p[2]};
}

}  // namespace

BOOST_AUTO_TEST_CASE(png_round_trip) {
  const TempDir dir;
  for (const auto& [w, h] : {std::pair{1, 1}, {7, 3}, {64, 65}}) {
    const Image image = colourful(w, h, 0);
    io::write_png(dir / "a.png", image);
    BOOST_TEST((read_png(dir / "a.png") == image));
    const std::string once = slurp(dir / "a.png");
    io::write_png(dir / "a.png", image);
    BOOST_TEST((slurp(dir / "a.png") == once));
  }
  BOOST_CHECK_THROW(io::write_png(dir / "a.png", Image()), InvalidArgument);
  Image wrong(2, 2);
  wrong.rgb.pop_back();
  BOOST_CHECK_THROW(io::write_png(dir / "a.png", wrong), InvalidArgument);
  BOOST_CHECK_THROW(io::write_png(dir / "no/such/a.png", Image(1, 1)), IoError);
  BOOST_CHECK_THROW(Image(-1, 4), InvalidArgument);
}

BOOST_AUTO_TEST_CASE(webp_round_trip) {
  const TempDir dir;
  std::vector<Image> frames;
  for (int i = 0; i < 5; ++i) frames.push_back(colourful(20, 12, i));
  io::write_webp(dir / "a.webp", frames, {.ms_per_frame = 83.3, .loops = 3});
  const Animation animation = read_webp(dir / "a.webp");
  BOOST_TEST(animation.loops == 3);
  BOOST_REQUIRE(animation.frames.size() == 5u);
  for (std::size_t i = 0; i < 5; ++i) {
    BOOST_TEST((animation.frames[i] == frames[i]));
    BOOST_TEST(animation.end_ms[i] == std::lround(83.3 * static_cast<double>(i + 1)));
  }
  io::write_webp(dir / "lossy.webp", frames, {.lossless = false, .quality = 80});
  BOOST_TEST(read_webp(dir / "lossy.webp").frames.size() == 5u);

  BOOST_CHECK_THROW(io::write_webp(dir / "b.webp", {}), InvalidArgument);
  BOOST_CHECK_THROW(io::write_webp(dir / "b.webp", frames, {.ms_per_frame = 0}), InvalidArgument);
  BOOST_CHECK_THROW(io::write_webp(dir / "b.webp", frames, {.quality = 101}), InvalidArgument);
  frames.push_back(colourful(12, 20, 0));
  BOOST_CHECK_THROW(io::write_webp(dir / "b.webp", frames), InvalidArgument);
  BOOST_TEST(!fs::exists(dir / "b.webp"));
}

BOOST_AUTO_TEST_CASE(sheet_places_every_pixel) {
  // Two grey clips of 3 frames of 2 x 2; value k rounds to the byte 10 * k.
  const Shape shape{2, 1, 3, 2, 2};
  std::vector<float> values;
  for (int k = 0; k < 24; ++k) values.push_back(static_cast<float>(k * 10) / 127.5f - 1);
  const io::SheetOptions options{.scale = 3, .gap = 1, .clip_gap = 2, .background = {1, 2, 3}};
  const Image sheet = io::contact_sheet(values, shape, options);
  BOOST_TEST(sheet.width == 3 * 6 + 2 * 1 + 2 * 2);
  BOOST_TEST(sheet.height == 2 * 6 + 3 * 2);
  BOOST_TEST((at(sheet, 0, 0) == io::Rgb{1, 2, 3}));
  for (int clip = 0; clip < 2; ++clip) {
    for (int frame = 0; frame < 3; ++frame) {
      for (int y = 0; y < 6; ++y) {
        for (int x = 0; x < 6; ++x) {
          const auto grey =
              static_cast<std::uint8_t>(10 * (clip * 12 + frame * 4 + y / 3 * 2 + x / 3));
          BOOST_TEST((at(sheet, 2 + frame * 7 + x, 2 + clip * 8 + y) == io::Rgb{grey, grey, grey}));
        }
      }
    }
  }
}

BOOST_AUTO_TEST_CASE(montage_shows_all_clips_in_each_frame) {
  const Shape shape{5, 3, 4, 2, 2};
  std::vector<float> values(static_cast<std::size_t>(element_count(shape)));
  for (std::size_t k = 0; k < values.size(); ++k) values[k] = (k / 48) % 2 ? 1.f : -1.f;
  const auto frames = io::montage(values, shape, 0, {.scale = 1, .gap = 0, .clip_gap = 1});
  BOOST_REQUIRE(frames.size() == 4u);
  BOOST_TEST(frames[0].width == 3 * 3 + 1);
  BOOST_TEST(frames[0].height == 2 * 3 + 1);
  for (const Image& frame : frames) {
    for (int clip = 0; clip < 5; ++clip) {
      const std::uint8_t v = clip % 2 ? 255 : 0;
      BOOST_TEST((at(frame, 1 + clip % 3 * 3, 1 + clip / 3 * 3) == io::Rgb{v, v, v}));
    }
  }
}

BOOST_AUTO_TEST_CASE(odd_values) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const std::vector<float> values{-7, 0, 9, nan};
  const Image sheet = io::contact_sheet(values, {1, 1, 1, 2, 2}, {.scale = 1, .clip_gap = 0});
  BOOST_TEST((at(sheet, 0, 0) == io::Rgb{0, 0, 0}));
  BOOST_TEST((at(sheet, 1, 0) == io::Rgb{128, 128, 128}));
  BOOST_TEST((at(sheet, 0, 1) == io::Rgb{255, 255, 255}));
  BOOST_TEST((at(sheet, 1, 1) == io::Rgb{255, 0, 255}));
}

BOOST_AUTO_TEST_CASE(wrong_shapes) {
  const std::vector<float> values(24);
  BOOST_CHECK_THROW(static_cast<void>(io::contact_sheet(values, {1, 2, 3, 2, 2})), ShapeError);
  BOOST_CHECK_THROW(static_cast<void>(io::contact_sheet(values, {2, 3, 2, 2})), ShapeError);
  BOOST_CHECK_THROW(static_cast<void>(io::contact_sheet(values, {2, 3, 1, 2, 3})), ShapeError);
  BOOST_CHECK_THROW(static_cast<void>(io::contact_sheet({}, {0, 3, 1, 2, 3})), ShapeError);
  BOOST_CHECK_THROW(static_cast<void>(io::contact_sheet(values, {2, 3, 1, 2, 2}, {.scale = -1})),
                    InvalidArgument);
  BOOST_CHECK_THROW(static_cast<void>(io::montage(values, {2, 3, 1, 2, 2}, -1)), InvalidArgument);
}
