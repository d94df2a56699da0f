#include "eflow/trainer/data/buckets.hpp"

#include <algorithm>
#include <charconv>
#include <sstream>

#include "eflow/core/base/error.hpp"
#include "eflow/trainer/config/exit_code.hpp"
#include "eflow/trainer/data/data_sets.hpp"
#include "eflow/trainer/data/source_schedule.hpp"

namespace eflow::trainer {
namespace {

template <class Number>
bool read_number(std::string_view text, Number* value) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), *value);
  return error == std::errc() && end == text.data() + text.size();
}

std::string trimmed(const std::string& text) {
  const auto begin = text.find_first_not_of(" \t"), end = text.find_last_not_of(" \t");
  return begin == std::string::npos ? "" : text.substr(begin, end - begin + 1);
}

/// Parses one entry. Throws InvalidArgument.
BucketSpec parse_bucket(const std::string& entry) {
  const auto colon = entry.rfind(':'), at = entry.substr(0, colon).rfind('@');
  BucketSpec spec;
  bool ok = colon != std::string::npos && read_number(entry.substr(colon + 1), &spec.share);
  if (ok && at != std::string::npos) {
    const std::string frames = entry.substr(at + 1, colon - at - 1);
    spec.first = frames == "first";
    if (spec.first) spec.frames = 1;
    ok = spec.first || (read_number(frames, &spec.frames) && spec.frames > 0);
  }
  if (ok) spec.dir = entry.substr(0, std::min(at, colon));
  if (ok && (!spec.dir.empty() || spec.frames > 0)) return spec;
  throw InvalidArgument(
      str("data.buckets: expected DIR[@FRAMES]:SHARE, such as images:0.1, or @first:0.1 "
          "for single frames of the run's own clips; found '",
          entry, "'"));
}

void require_same_format(const io::ClipSource& own, const io::ClipSource& other,
                         const std::string& dir) {
  if (own.clip_shape()[0] == other.clip_shape()[0] && own.class_count() == other.class_count() &&
      own.context_shape() == other.context_shape())
    return;
  throw DataError(str("data.buckets: ", dir, ": expected ", own.clip_shape()[0], " channels, ",
                      own.class_count(), " classes and context ", own.context_shape(),
                      ", as in data.dir; found ", other.clip_shape()[0], ", ", other.class_count(),
                      " and ", other.context_shape()));
}

}  // namespace

std::vector<BucketSpec> parse_buckets(const std::string& text) {
  std::vector<BucketSpec> specs;
  std::vector<double> shares;
  std::istringstream list(text);
  for (std::string entry; std::getline(list, entry, ',');) {
    specs.push_back(parse_bucket(trimmed(entry)));
    shares.push_back(specs.back().share);
  }
  try {
    static_cast<void>(SourceSchedule(shares));
  } catch (const InvalidArgument& error) {
    throw InvalidArgument(str("data.buckets: ", error.what()));
  }
  return specs;
}

Shape cut_shape(const BucketSpec& spec, const Shape& clip) {
  if (spec.frames > clip[1]) {
    throw InvalidArgument(str("data.buckets: expected at most ", clip[1],
                              " frames, the length of the clips; found @", spec.frames));
  }
  Shape shape = clip;
  if (spec.frames > 0) shape[1] = spec.frames;
  return shape;
}

FramesOfSource::FramesOfSource(const io::ClipSource* whole, std::int64_t frames, bool first)
    : whole_(whole), shape_(cut_shape({.frames = frames}, whole->clip_shape())), first_(first) {}

std::int32_t FramesOfSource::read(std::int64_t index, std::span<float> clip) const {
  const Shape all = whole_->clip_shape();
  std::vector<float> values(static_cast<std::size_t>(element_count(all)));
  const std::int32_t label = whole_->read(index, values);
  const std::int64_t frame = all[2] * all[3], begin = first_ ? 0 : index % (all[1] - shape_[1] + 1);
  for (std::int64_t c = 0; c < all[0]; ++c) {
    const auto from = values.begin() + (c * all[1] + begin) * frame;
    std::copy(from, from + shape_[1] * frame, clip.begin() + c * shape_[1] * frame);
  }
  return label;
}

std::vector<Bucket> open_buckets(const std::vector<BucketSpec>& specs, const io::ClipSource& own,
                                 std::int64_t context_length, const WrapSource& wrap) {
  std::vector<Bucket> buckets;
  for (const BucketSpec& spec : specs) {
    Bucket bucket{.source = &own, .share = spec.share};
    if (!spec.dir.empty()) {
      bucket.set = open_dataset(spec.dir, context_length);
      if (wrap) bucket.set = wrap(std::move(bucket.set), spec.dir);
      bucket.source = bucket.set.get();
      require_same_format(own, *bucket.source, spec.dir);
    }
    if (spec.frames > 0) {
      bucket.cut = std::make_unique<FramesOfSource>(bucket.source, spec.frames, spec.first);
      bucket.source = bucket.cut.get();
    }
    buckets.push_back(std::move(bucket));
  }
  return buckets;
}

}  // namespace eflow::trainer
