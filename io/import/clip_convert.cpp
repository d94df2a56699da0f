#include "eflow/io/import/clip_convert.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "eflow/io/arrays/element_visit.hpp"
#include "eflow/io/items/array_bytes.hpp"

namespace eflow::io {
namespace {

/// Calls f(value, place) for each element of channel c, in the order T, H, W.
template <class T, class F>
void for_channel(std::span<const std::byte> bytes, const ClipWalk& walk, std::int64_t c,
                 const F& f) {
  const auto& [sc, st, sh, sw] = walk.stride;
  const std::byte* const data = bytes.data() + static_cast<std::size_t>(c * sc) * sizeof(T);
  std::size_t k = 0;
  for (std::int64_t t = 0; t < walk.shape[1]; ++t) {
    for (std::int64_t y = 0; y < walk.shape[2]; ++y) {
      const std::byte* at = data + static_cast<std::size_t>(t * st + y * sh) * sizeof(T);
      const std::size_t step = static_cast<std::size_t>(sw) * sizeof(T);
      for (std::int64_t x = 0; x < walk.shape[3]; ++x, ++k, at += step) {
        T stored;
        std::memcpy(&stored, at, sizeof(T));
        f(static_cast<double>(stored), k);
      }
    }
  }
}

[[noreturn]] void refuse(const ClipWalk& walk, std::int64_t c, std::size_t k, double value,
                         const ValueRange& allowed) {
  const auto at = static_cast<std::int64_t>(k);
  const std::int64_t w = walk.shape[3], h = walk.shape[2];
  throw InvalidArgument(str("[import] pixel (frame ", at / w / h, ", row ", at / w % h, ", column ",
                            at % w, ", channel ", c, ") is ", value, "; expected ", allowed.words));
}

void store(double value, DType dtype, std::byte* out, std::size_t k) {
  if (dtype == DType::kU8) {
    out[k] = static_cast<std::byte>(std::lround(std::clamp(value, 0.0, 255.0)));
  } else if (dtype == DType::kBF16) {
    const bfloat16 half(static_cast<float>(value));
    std::memcpy(out + 2 * k, &half, 2);
  } else {
    const auto single = static_cast<float>(value);
    std::memcpy(out + 4 * k, &single, 4);
  }
}

}  // namespace

ClipWalk walk_of(Item& item, const std::string& layout) {
  RawArray& clip = item.clip;
  std::string axes = item.layout.empty() ? layout : "N" + item.layout;
  if (!axes.empty()) drop_unit_axes(clip, static_cast<int>(axes.size()) - 1);
  if (axes.empty() && clip.shape.rank() == 5) drop_unit_axes(clip, 4);
  Shape shape{1};
  for (const std::int64_t size : clip.shape) {
    if (shape.rank() == Shape::kMaxRank) throw InvalidArgument("[import] the clip has 8 axes");
    shape.push_back(size);
  }
  if (element_count(shape) == 0)
    throw InvalidArgument(str("[import] the clip is empty: ", clip.shape));
  if (axes.empty()) axes = infer_layout(shape, "the clip after an axis N = 1 for clips");
  return walk_of(axes, shape, "the clip after an axis N = 1 for clips");
}

void measure(const Item& item, const ClipWalk& walk, FloatRange meaning, ChannelStats& stats) {
  const bool bytes = item.clip.element == Element::kU8;
  const ValueRange allowed = range_of(bytes ? DType::kU8 : DType::kF32, meaning);
  stats.resize(static_cast<std::size_t>(walk.shape[0]));
  visit_element(item.clip.element, [&]<class T>(std::type_identity<T>) {
    for (std::int64_t c = 0; c < walk.shape[0]; ++c) {
      ChannelMoments now;
      double sum = 0;
      for_channel<T>(item.clip.bytes, walk, c, [&](double v, std::size_t k) {
        if (!(v >= allowed.low && v <= allowed.high)) refuse(walk, c, k, v, allowed);
        sum += v;
        now.low = std::min(now.low, v), now.high = std::max(now.high, v);
      });
      now.count = static_cast<double>(walk.shape[1] * walk.shape[2] * walk.shape[3]);
      now.mean = sum / now.count;
      for_channel<T>(item.clip.bytes, walk, c, [&](double v, std::size_t) {
        now.squares += (v - now.mean) * (v - now.mean);
      });
      stats[static_cast<std::size_t>(c)].merge(now);
    }
  });
}

void convert(const Item& item, const ClipWalk& walk, const Conversion& how,
             std::span<std::byte> out) {
  const auto frame = static_cast<std::size_t>(walk.shape[1] * walk.shape[2] * walk.shape[3]);
  EFLOW_ASSERT(out.size() ==
               frame * static_cast<std::size_t>(walk.shape[0]) * eflow::size_of(how.dtype));
  visit_element(item.clip.element, [&]<class T>(std::type_identity<T>) {
    for (std::int64_t c = 0; c < walk.shape[0]; ++c) {
      const auto channel = static_cast<std::size_t>(c);
      const double scale = how.scale.empty() ? 1 : how.scale[channel % how.scale.size()];
      const double offset = how.offset.empty() ? 0 : how.offset[channel % how.offset.size()];
      std::byte* const to = out.data() + channel * frame * eflow::size_of(how.dtype);
      for_channel<T>(item.clip.bytes, walk, c, [&](double v, std::size_t k) {
        if (!(v >= how.allowed.low && v <= how.allowed.high)) refuse(walk, c, k, v, how.allowed);
        store((v * scale + offset - how.mapping.offset) / how.mapping.scale, how.dtype, to, k);
      });
    }
  });
}

}  // namespace eflow::io
