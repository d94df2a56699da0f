#include "eflow/io/shard/records_builder.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

#include "eflow/core/base/error.hpp"
#include "eflow/io/shard/byte_shuffle.hpp"
#include "eflow/io/shard/json_fields.hpp"
#include "eflow/io/shard/zstd_codec.hpp"

namespace eflow::io {
namespace {

constexpr std::size_t kMaxTextBytes = 1 << 16;

[[noreturn]] void refuse(std::int64_t clip, const std::string& fault) {
  throw InvalidArgument(str("[dataset] clip ", clip, ": ", fault));
}

void check_text(const std::string& text, std::int64_t clip, const char* what) {
  if (text.size() > kMaxTextBytes)
    refuse(clip, str(what, " has ", text.size(), " bytes; expected at most ", kMaxTextBytes));
  if (!is_utf8(text)) refuse(clip, str(what, " is not UTF-8"));
}

void check_caption(const TextSpec& spec, const CaptionRecord& caption, std::int64_t clip) {
  check_text(caption.text, clip, "a caption");
  const auto bytes = static_cast<std::uint64_t>(caption.rows * spec.width) * size_of(spec.dtype);
  if (caption.rows < 1 || caption.rows > spec.max_length || bytes != caption.embedding.size()) {
    refuse(clip, str("a caption has ", caption.rows, " tokens and an embedding of ",
                     caption.embedding.size(), " bytes; expected 1 to ", spec.max_length,
                     " tokens of ", spec.width, " ", spec.dtype, " each"));
  }
}

void check_source(const ClipRecord& record, std::int64_t clip) {
  check_text(record.source, clip, "the source's name");
  if (record.width < 0 || record.height < 0 || record.frames < 0 || !std::isfinite(record.fps) ||
      record.fps < 0 || record.fps > 1e6) {
    refuse(clip, str("the source's size ", record.width, " x ", record.height, ", ", record.frames,
                     " frames, ", record.fps, " frames/s: expected numbers from 0 on"));
  }
}

}  // namespace

std::int64_t RecordsBuilder::add_string(const std::string& text) {
  const auto [found, fresh] =
      offsets_.try_emplace(text, static_cast<std::int64_t>(strings_.size()));
  if (fresh) strings_ += text;
  return found->second;
}

void RecordsBuilder::add(const DatasetSpec& spec, const ClipRecord& record, std::int64_t number) {
  const auto captions = static_cast<std::int64_t>(record.captions.size());
  if (!spec.text && captions > 0)
    refuse(number, str(captions, " captions for a data set without text"));
  if (spec.text && (captions < 1 || captions > kMaxCaptionsPerClip))
    refuse(number, str(captions, " captions; expected 1 to ", kMaxCaptionsPerClip));
  for (const CaptionRecord& caption : record.captions) check_caption(*spec.text, caption, number);
  check_source(record, number);
  for (const CaptionRecord& caption : record.captions) {
    const Hash128 hash = hash128(caption.embedding);
    const auto [found, fresh] = numbers_.try_emplace(std::pair(hash.high, hash.low),
                                                     static_cast<std::int64_t>(embeddings_.size()));
    if (fresh) embeddings_.push_back(caption.embedding);
    captions_.push_back({.clip = clips_,
                         .rows = caption.rows,
                         .text_offset = add_string(caption.text),
                         .text_bytes = static_cast<std::int64_t>(caption.text.size()),
                         .embedding = found->second});
  }
  if (spec.sources) {
    sources_.push_back({.name_offset = add_string(record.source),
                        .name_bytes = static_cast<std::int64_t>(record.source.size()),
                        .width = record.width,
                        .height = record.height,
                        .frames = record.frames,
                        .fps_millionths = std::llround(record.fps * 1e6)});
  }
  ++clips_;
}

ShardRecords RecordsBuilder::take(const DatasetSpec& spec) {
  ShardRecords out;
  for (const CaptionEntry& entry : captions_) out.rows = std::max(out.rows, entry.rows);
  const std::size_t element = spec.text ? size_of(spec.text->dtype) : 0;
  const std::size_t bytes =
      spec.text ? static_cast<std::size_t>(out.rows * spec.text->width) * element : 0;
  std::vector<std::byte> shuffled(bytes);
  for (std::vector<std::byte>& embedding : embeddings_) {
    embedding.resize(bytes);  // adds zero rows
    byte_shuffle(embedding, element, shuffled);
    out.frames.push_back(zstd_compress(shuffled));
    embedding = {};
  }
  out.captions = std::move(captions_);
  out.sources = std::move(sources_);
  out.strings = std::move(strings_);
  *this = {};
  return out;
}

}  // namespace eflow::io
