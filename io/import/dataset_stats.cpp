#include "eflow/io/import/dataset_stats.hpp"

#include <algorithm>
#include <map>
#include <set>

#include "eflow/core/base/hash.hpp"

namespace eflow::io {
namespace {

ChannelMoments moments_of(std::span<const float> values) {
  ChannelMoments out;
  double sum = 0;
  for (const float v : values) {
    sum += v;
    out.low = std::min<double>(out.low, v), out.high = std::max<double>(out.high, v);
  }
  out.count = static_cast<double>(values.size());
  out.mean = sum / out.count;
  for (const float v : values) out.squares += (v - out.mean) * (v - out.mean);
  return out;
}

void measure_captions(const Dataset& set, DatasetStats& out) {
  std::set<std::uint64_t> texts;
  for (const auto& of_clip : set.read_captions()) {
    for (const std::string& text : of_clip) {
      texts.insert(hash64(text));
      if (text.empty()) ++out.empty_captions;
    }
  }
  out.different_captions = static_cast<std::int64_t>(texts.size());
  for (std::int64_t i = 0; i < set.size(); ++i) {
    for (std::int64_t k = 0; k < set.captions(i); ++k) {
      const std::int64_t rows = set.caption_rows(i, k);
      out.shortest = out.captions == 0 ? rows : std::min(out.shortest, rows);
      out.longest = std::max(out.longest, rows);
      out.tokens += rows;
      ++out.captions;
    }
  }
}

}  // namespace

DatasetStats measure_dataset(const Dataset& set,
                             const std::function<void(std::int64_t, std::int64_t)>& progress) {
  constexpr std::size_t kPairsKept = 1000;
  DatasetStats out;
  const Shape shape = set.clip_shape();
  out.channels.resize(static_cast<std::size_t>(shape[0]));
  std::vector<float> clip(static_cast<std::size_t>(element_count(shape)));
  const std::size_t plane = clip.size() / out.channels.size();
  std::map<Hash128, std::int64_t> first;
  for (std::int64_t i = 0; i < set.size(); ++i) {
    set.read(i, clip);
    bool constant = true;
    for (std::size_t c = 0; c < out.channels.size(); ++c) {
      const ChannelMoments channel = moments_of(std::span(clip).subspan(c * plane, plane));
      constant = constant && channel.low == channel.high;
      out.channels[c].merge(channel);
    }
    out.constant_clips += constant;
    const auto [same, added] = first.emplace(hash128(std::as_bytes(std::span(clip))), i);
    if (!added) {
      ++out.duplicate_count;
      if (out.duplicates.size() < kPairsKept) out.duplicates.emplace_back(i, same->second);
    }
    if (progress) progress(i + 1, set.size());
  }
  if (set.manifest().spec.text) measure_captions(set, out);
  return out;
}

}  // namespace eflow::io
