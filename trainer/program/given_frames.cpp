#include "eflow/trainer/program/given_frames.hpp"

#include <algorithm>

#include "eflow/core/base/error.hpp"
#include "eflow/io/arrays/safetensors.hpp"
#include "eflow/io/dataset/npy.hpp"

namespace eflow::program {
namespace {

struct Array {
  Shape shape = {};
  std::vector<float> values = {};
};

template <class T, class Map>
std::vector<float> mapped(const io::NpyFile& file, const Map& map) {
  std::vector<T> values(static_cast<std::size_t>(file.rows() * file.row_elements()));
  file.read_rows(0, file.rows(), std::as_writable_bytes(std::span(values)));
  std::vector<float> result(values.size());
  std::transform(values.begin(), values.end(), result.begin(), map);
  return result;
}

Array read_npy(const std::filesystem::path& path) {
  const io::NpyFile file(path);
  const auto same = [](auto value) { return static_cast<float>(value); };
  switch (file.dtype()) {
    case DType::kU8:
      return {file.shape(), mapped<std::uint8_t>(file, [](std::uint8_t value) {
                return static_cast<float>(value) / 127.5f - 1;
              })};
    case DType::kF32:
      return {file.shape(), mapped<float>(file, same)};
    case DType::kF64:
      return {file.shape(), mapped<double>(file, same)};
    default:
      throw InvalidArgument(
          str(path.string(), ": expected frames of u8, f32 or f64, found ", name_of(file.dtype())));
  }
}

Array read_safetensors(const std::filesystem::path& path) {
  const io::SafetensorsFile file(path);
  if (file.arrays().size() != 1) {
    throw InvalidArgument(
        str(path.string(), ": expected one array of frames, found ", file.arrays().size()));
  }
  const auto& [name, array] = *file.arrays().begin();
  Array read{array.shape, std::vector<float>(static_cast<std::size_t>(element_count(array.shape)))};
  file.read_floats(name, 0, read.values);
  return read;
}

/// The array's axes as clips [n, C, K, H, W], and the strides of C, K, H and W.
struct Axes {
  std::int64_t clips = 1, frames = 1;
  std::int64_t channel = 0, frame = 0, row = 0, column = 0;
};

Axes axes_of(const Shape& shape, const trainer::ClipFormat& c, const std::string& where) {
  std::vector<std::int64_t> d(shape.begin(), shape.end());
  const auto ends_in = [&](std::initializer_list<std::int64_t> tail) {
    return d.size() >= tail.size() &&
           std::equal(tail.begin(), tail.end(), d.end() - static_cast<std::ptrdiff_t>(tail.size()));
  };
  const bool fits_rank = d.size() >= 3 && d.size() <= 5;
  const std::int64_t C = c.channels, H = c.height, W = c.width;
  const bool first = fits_rank && ends_in({H, W}) && d[d.size() == 5 ? 1 : 0] == C;
  const bool last = fits_rank && !first && ends_in({H, W, C});
  if (!first && !last) {
    throw InvalidArgument(str(where, ": expected frames [", C, ", ", H, ", ", W, "], [", C,
                              ", frames, ", H, ", ", W, "] or [clips, ", C, ", frames, ", H, ", ",
                              W, "], or the same with channels last; found ", shape));
  }
  Axes axes;
  if (d.size() == 5) axes.clips = d[0];
  if (d.size() > 3) axes.frames = d[first ? d.size() - 3 : d.size() - 4];
  if (first) {
    axes.column = 1, axes.row = W, axes.frame = H * W, axes.channel = axes.frames * H * W;
  } else {
    axes.channel = 1, axes.column = C, axes.row = W * C, axes.frame = H * W * C;
  }
  return axes;
}

/// The network's values of latents, the inverse of undo_normalisation().
void normalise(const io::LatentSpace& latent, trainer::GivenClips* given) {
  const Shape& shape = given->shape;
  const std::int64_t plane = shape[2] * shape[3] * shape[4];
  for (std::size_t i = 0; i < given->values.size(); ++i) {
    const auto c = static_cast<std::size_t>(static_cast<std::int64_t>(i) / plane % shape[1]);
    const double std = latent.std.empty() ? 1 : latent.std[c];
    const double mean = latent.mean.empty() ? 0 : latent.mean[c];
    given->values[i] = static_cast<float>((given->values[i] - mean) / std);
  }
}

}  // namespace

trainer::GivenClips read_given_frames(const std::filesystem::path& path,
                                      const trainer::DataInfo& data, std::int64_t last) {
  const trainer::ClipFormat& c = data.clips;
  const Array array = path.extension() == ".safetensors" ? read_safetensors(path) : read_npy(path);
  const Axes axes = axes_of(array.shape, c, path.string());
  if (last > axes.frames) {
    throw InvalidArgument(
        str(path.string(), ": expected at least ", last, " frames, found ", axes.frames));
  }
  const std::int64_t frames = last > 0 ? last : axes.frames, skipped = axes.frames - frames;
  trainer::GivenClips given;
  given.shape = {axes.clips, c.channels, frames, c.height, c.width};
  for (std::int64_t n = 0; n < axes.clips; ++n) {
    const std::int64_t clip = n * axes.frames * c.channels * c.height * c.width;
    for (std::int64_t k = 0; k < c.channels; ++k)
      for (std::int64_t t = skipped; t < axes.frames; ++t)
        for (std::int64_t y = 0; y < c.height; ++y)
          for (std::int64_t x = 0; x < c.width; ++x)
            given.values.push_back(array.values[static_cast<std::size_t>(
                clip + k * axes.channel + t * axes.frame + y * axes.row + x * axes.column)]);
  }
  normalise(data.latent, &given);
  return given;
}

}  // namespace eflow::program
