// What the writers of PNG and WebP files are given: sizes, numbers of pixels and frames, and options
// that do not fit together. The input is ten bytes of numbers, followed by pixels.
#include <algorithm>
#include <cmath>

#include "eflow/io/media/png.hpp"
#include "eflow/io/media/webp.hpp"
#include "eflow/tests/fuzz/fuzz.hpp"

namespace eflow::fuzz {
namespace {

constexpr std::size_t kHead = 10;

/// Pixels that are not the stated number, one time in four.
io::Image image_of(int width, int height, unsigned kind, std::string_view pixels) {
  io::Image image;
  image.width = width;
  image.height = height;
  const auto count = static_cast<std::size_t>(std::max(0, width) * std::max(0, height) * 3);
  image.rgb.resize(kind % 4 == 3 ? count + kind % 7 : count);
  for (std::size_t i = 0; i < image.rgb.size() && !pixels.empty(); ++i)
    image.rgb[i] = static_cast<std::uint8_t>(pixels[i % pixels.size()]);
  return image;
}

}  // namespace

std::vector<std::string> seeds() {
  using namespace std::string_literals;
  return {"\x08\x06\x02\x02\x00\x01\x50\x00\x82\x01"s + std::string(60, '\x21'),
          "\x01\x01\x01\x01\x01\x00\x64\x01\x82\x01"s + "abc"s};
}

void run(std::string_view input) {
  if (input.size() < kHead) return;
  const auto at = [&](std::size_t i) { return static_cast<unsigned char>(input[i]); };
  const std::string_view pixels = input.substr(kHead);
  // Sizes of up to 191 pixels, and a few that are zero, negative or above the format's limit.
  const auto size = [&](unsigned value) {
    return value < 192 ? int(value) : value < 224 ? -1 : 16384;
  };
  const int width = size(at(0)), height = std::min(size(at(1)), 192);
  const ScratchFolder folder;
  try {
    io::write_png(folder / "image.png", image_of(width, height, at(2), pixels));
  } catch (const InvalidArgument&) {  // an animation has checks of its own
  }
  std::vector<io::Image> frames;
  for (unsigned i = 0; i < at(3) % 4u; ++i)
    frames.push_back(image_of(std::min(width, 192), i == 2 ? at(4) % 64 : height, at(5), pixels));
  io::WebpOptions options;
  options.quality = static_cast<float>(at(6)) - 60;
  options.lossless = at(7) % 2 == 0;
  options.ms_per_frame = at(8) < 250 ? at(8) - 5.0 : at(8) < 252 ? 1e300 : std::nan("");
  options.loops = static_cast<int>(at(9)) * 1000 - 10;
  io::write_webp(folder / "clip.webp", frames, options);
}

}  // namespace eflow::fuzz
