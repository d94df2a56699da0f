#include "eflow/io/dataset/clip_values.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "eflow/core/base/error.hpp"

namespace eflow::io {
namespace {

template <class T>
void gather(std::span<const std::byte> clip, const ClipWalk& walk, Values& out) {
  std::size_t k = 0;
  const auto& [sc, st, sh, sw] = walk.stride;
  for (std::int64_t c = 0; c < walk.shape[0]; ++c) {
    for (std::int64_t t = 0; t < walk.shape[1]; ++t) {
      for (std::int64_t y = 0; y < walk.shape[2]; ++y) {
        for (std::int64_t x = 0; x < walk.shape[3]; ++x, ++k) {
          T value;
          const auto at = static_cast<std::size_t>(c * sc + t * st + y * sh + x * sw);
          std::memcpy(&value, clip.data() + at * sizeof(T), sizeof(T));
          out[k] = static_cast<double>(value);
        }
      }
    }
  }
}

/// "clip 7, pixel (frame 1, row 2, column 3, channel 0)".
std::string place_of(std::int64_t clip, std::size_t at, const Shape& s) {
  auto k = static_cast<std::int64_t>(at);
  const std::int64_t x = k % s[3], y = (k /= s[3]) % s[2], t = (k /= s[2]) % s[1], c = k / s[1];
  return str("clip ", clip, ", pixel (frame ", t, ", row ", y, ", column ", x, ", channel ", c,
             ")");
}

}  // namespace

void gather(DType dtype, std::span<const std::byte> clip, const ClipWalk& walk, Values& out) {
  switch (dtype) {
    case DType::kU8:
      return gather<std::uint8_t>(clip, walk, out);
    case DType::kF32:
      return gather<float>(clip, walk, out);
    case DType::kF64:
      return gather<double>(clip, walk, out);
    case DType::kBF16:
    case DType::kI32:
    case DType::kI64:
      break;
  }
  EFLOW_ASSERT(!"open_videos() rejects other dtypes");
}

ValueRange range_of(DType input, FloatRange range) {
  constexpr double kLargest = 3.3895313892515355e38;  // largest bf16; f32 reaches slightly further
  if (input == DType::kU8) return {0, 255, "0 to 255"};
  if (range == FloatRange::kUnit) return {0, 1, "0 to 1"};
  if (range == FloatRange::kSymmetric) return {-1, 1, "-1 to 1"};
  return {-kLargest, kLargest, "a finite number that bf16 can hold"};
}

ValueMapping mapping_of(DType input, DType stored, FloatRange range) {
  if (input == DType::kU8 || stored == DType::kU8) return kPixelMapping;
  return range == FloatRange::kUnit ? ValueMapping{2.0, -1.0} : ValueMapping{};
}

ValueMapping input_mapping(DType input, FloatRange range) {
  return input == DType::kU8 ? kPixelMapping : mapping_of(input, DType::kF32, range);
}

void require_symmetric(const std::string& where, double lowest, double highest) {
  if (lowest < 0 && lowest >= -1 && highest <= 1) return;
  const std::string found =
      str("[pack] ", where, ": the values are from ", lowest, " to ", highest, "; ");
  if (lowest >= 0 && highest <= 1) {
    throw AmbiguousArray(found +
                         "no value is below 0, so they may be pixels in [0, 1] or in "
                         "[-1, 1]; set their meaning with --range unit or --range symmetric "
                         "(latents: --range any)");
  }
  throw AmbiguousArray(str(
      found, "floats are pixels in [0, 1] or [-1, 1], or latents. Scale pixels in Python, ",
      lowest >= 0 ? str("np.save(path, (array / ",
                        highest <= 255     ? "255"
                        : highest <= 65535 ? "65535"
                                           : "array.max()",
                        ").astype('<f4')), and pass --range unit")
                  : "for example np.save(path, (array / abs(array).max()).astype('<f4')), and pass "
                    "--range symmetric",
      "; for latents, pass --range any"));
}

void check_values(const Values& values, const ValueRange& allowed, std::int64_t clip,
                  const Shape& shape, const std::string& where) {
  for (std::size_t k = 0; k < values.size(); ++k) {
    const double v = values[k];
    if (std::isfinite(v) && v >= allowed.low && v <= allowed.high) continue;
    throw InvalidArgument(str(
        "[pack] ", where, ", ", place_of(clip, k, shape), " is ", v, "; expected ", allowed.words,
        std::isfinite(v)
            ? "; --range sets the meaning of float values: symmetric (-1 to 1), unit (0 to 1) "
              "or any (latents)"
            : ""));
  }
}

void encode(const Values& values, DType dtype, ValueMapping mapping, std::span<std::byte> out) {
  for (std::size_t k = 0; k < values.size(); ++k) {
    const double stored = (values[k] - mapping.offset) / mapping.scale;
    if (dtype == DType::kU8) {
      out[k] = static_cast<std::byte>(std::lround(std::clamp(stored, 0.0, 255.0)));
    } else if (dtype == DType::kBF16) {
      const bfloat16 half(static_cast<float>(stored));
      std::memcpy(out.data() + 2 * k, &half, 2);
    } else {
      const auto single = static_cast<float>(stored);
      std::memcpy(out.data() + 4 * k, &single, 4);
    }
  }
}

}  // namespace eflow::io
