#include "eflow/io/import/survey.hpp"

#include <algorithm>
#include <array>

#include "eflow/io/import/clip_convert.hpp"
#include "eflow/io/shard/json_fields.hpp"
#include "eflow/io/shard/shard_records.hpp"

namespace eflow::io {
namespace {

/// Extends a chain of hashes, so that neither memory nor order is lost.
void chain(Hash128& hash, std::span<const std::byte> bytes) {
  const std::array<Hash128, 2> link{hash, hash128(bytes)};
  hash = hash128(std::as_bytes(std::span(link)));
}

void chain(Hash128& hash, const std::string& text) {
  chain(hash, std::as_bytes(std::span(text)));
}

Bucket& bucket_for(Survey& survey, const Shape& shape, std::int32_t& number) {
  const auto found = std::find_if(survey.buckets.begin(), survey.buckets.end(),
                                  [&](const Bucket& bucket) { return bucket.shape == shape; });
  number = static_cast<std::int32_t>(found - survey.buckets.begin());
  if (found != survey.buckets.end()) return *found;
  constexpr std::size_t kMostShapes = 4096;
  if (survey.buckets.size() == kMostShapes)
    throw InvalidArgument(
        str("[import] its shape ", shape, " is one of more than ", kMostShapes, " different ones"));
  survey.buckets.push_back({.shape = shape});
  return survey.buckets.back();
}

void add_label(const Item& item, Bucket& bucket) {
  if (!item.class_name.empty()) {
    ++bucket.named;
    bucket.class_names.insert(item.class_name);
  } else if (item.label) {
    bucket.smallest_label = std::min(bucket.smallest_label, *item.label);
    bucket.largest_label = std::max(bucket.largest_label, *item.label);
    ++bucket.numbered;
  }
  chain(bucket.content,
        item.class_name.empty() ? str("#", item.label.value_or(-1)) : item.class_name);
}

void add_captions(const std::vector<ResolvedCaption>& captions, const Item& item, Bucket& bucket) {
  if (!captions.empty()) ++bucket.captioned;
  if (!captions.empty() && item.captions.empty()) ++bucket.by_number;
  if (captions.empty() && !item.captions.empty()) ++bucket.texts_only;
  for (const ResolvedCaption& caption : captions) {
    bucket.longest = std::max(bucket.longest, caption.rows);
    chain(bucket.content, caption.text);
    if (!caption.own) continue;
    bucket.text_widths.insert(caption.own->shape[1]);
    bucket.text_is_bf16 = bucket.text_is_bf16 && caption.own->element == Element::kBF16;
    chain(bucket.content, caption.own->bytes);
  }
}

/// Examines one item; returns the number of its bucket.
std::int32_t examine(Item& item, std::int64_t index, const ImportOptions& options,
                     const CaptionTable* table, Survey& survey) {
  if (!is_utf8(item.source)) throw InvalidArgument("[import] its name is not UTF-8");
  const ClipWalk walk = walk_of(item, options.pack.layout);
  const auto captions = resolve_captions(item, index, table);
  if (std::ssize(captions) > kMaxCaptionsPerClip)
    throw InvalidArgument(str("[import] it has more than ", kMaxCaptionsPerClip, " captions"));
  for (const ResolvedCaption& caption : captions)  // finds values that are not finite
    if (caption.own) static_cast<void>(record_of(caption, table, DType::kF32));
  ChannelStats stats;
  measure(item, walk, options.pack.float_range.value_or(FloatRange::kAny), stats);
  std::int32_t number = 0;
  Bucket& bucket = bucket_for(survey, walk.shape, number);
  ++bucket.items;
  bucket.stats.resize(stats.size());
  for (std::size_t c = 0; c < stats.size(); ++c) bucket.stats[c].merge(stats[c]);
  bucket.elements.insert(item.clip.element);
  bucket.normalised.insert(item.normalised);
  if (bucket.fps == 0) bucket.fps = item.fps;
  if (!item.latent_space.empty()) bucket.latent_spaces.insert(item.latent_space);
  chain(bucket.content,
        str(item.source, " ", walk.stride[0], " ", walk.stride[1], " ", walk.stride[2], " ",
            walk.stride[3], " ", static_cast<int>(item.clip.element)));
  chain(bucket.content, item.clip.bytes);
  add_label(item, bucket);
  add_captions(captions, item, bucket);
  return number;
}

}  // namespace

Survey survey_items(ItemSource& source, const ImportOptions& options, const CaptionTable* table,
                    const Skip& skip) {
  Survey survey;
  Item item;
  for (std::int64_t index = 0; !options.pack.stop.stop_requested(); ++index) {
    std::int32_t bucket = Survey::kLeftOut;
    try {
      if (!source.next(item)) break;
      if (index % options.parts == options.part)
        bucket = examine(item, index, options, table, survey);
    } catch (const ItemFault& fault) {
      skip(fault.source, fault.why);
    } catch (const AmbiguousArray& error) {
      throw AmbiguousArray(str(item.source, ": ", error.what()));
    } catch (const InvalidArgument& error) {
      skip(item.source, error.what());
    }
    survey.bucket_of_item.push_back(bucket);
    if (options.pack.progress) options.pack.progress(index + 1, source.expected());
  }
  return survey;
}

}  // namespace eflow::io
