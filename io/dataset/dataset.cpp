#include "eflow/io/dataset/dataset.hpp"

#include <algorithm>
#include <cstring>
#include <optional>
#include <utility>

#include "eflow/core/base/error.hpp"
#include "eflow/io/shard/shard.hpp"

namespace eflow::io {
namespace {

void check_against_manifest(const Shard& shard, const ShardEntry& entry, const DatasetSpec& spec) {
  const ShardIndex& index = shard.index();
  const auto refuse = [&](const char* what, const std::string& found, const std::string& expected) {
    throw CorruptData(str("[dataset] ", shard.path().string(), ": ", what, " is ", found,
                          ", but the manifest says ", expected,
                          "; the shard belongs to another data set"));
  };
  if (index.checksum != entry.index_hash) {
    refuse("index hash", to_hex(index.checksum), to_hex(entry.index_hash));
  }
  if (index.file_bytes != entry.bytes) refuse("size", str(index.file_bytes), str(entry.bytes));
  if (static_cast<std::int64_t>(index.samples.size()) != entry.count) {
    refuse("number of clips", str(index.samples.size()), str(entry.count));
  }
  if (index.dtype != spec.dtype) refuse("dtype", str(index.dtype), str(spec.dtype));
  if (!(index.shape == spec.shape)) refuse("shape", str(index.shape), str(spec.shape));
  const std::int64_t width = index.records ? index.records->width : 0;
  const std::int64_t rows = index.records ? index.records->rows : 0;
  if (width != (spec.text ? spec.text->width : 0))
    refuse("width of the captions' embeddings", str(width), str(spec.text ? spec.text->width : 0));
  if (spec.text && (rows > spec.text->max_length || index.records->dtype != spec.text->dtype)) {
    refuse("the captions' embeddings", str(rows, " tokens of ", index.records->dtype),
           str("at most ", spec.text->max_length, " of ", spec.text->dtype));
  }
  for (std::size_t i = 0; i < shard.labels().size(); ++i) {
    const std::int32_t label = shard.labels()[i];
    if (label < 0 || label >= std::max<std::int64_t>(spec.class_count, 1)) {
      refuse("a label", str(label, " (clip ", i, ")"), str(spec.class_count, " classes"));
    }
  }
}

template <class T>
void map_to_float(std::span<const std::byte> stored, ValueMapping mapping, std::span<float> out) {
  const auto scale = static_cast<float>(mapping.scale), offset = static_cast<float>(mapping.offset);
  for (std::size_t i = 0; i < out.size(); ++i) {
    T value;
    std::memcpy(&value, stored.data() + i * sizeof(T), sizeof(T));
    out[i] = static_cast<float>(value) * scale + offset;
  }
}

void map_to_float(DType dtype, std::span<const std::byte> stored, ValueMapping mapping,
                  std::span<float> out) {
  switch (dtype) {
    case DType::kU8:
      return map_to_float<std::uint8_t>(stored, mapping, out);
    case DType::kBF16:
      return map_to_float<bfloat16>(stored, mapping, out);
    case DType::kF32:
      if (mapping == ValueMapping{}) {
        std::memcpy(out.data(), stored.data(), stored.size());
        return;
      }
      return map_to_float<float>(stored, mapping, out);
    case DType::kF64:
    case DType::kI32:
    case DType::kI64:
      break;
  }
  EFLOW_ASSERT(!"DatasetSpec::check() rejects other dtypes");
}

}  // namespace

namespace {

/// (value - mean) / std for each channel of a clip.
void normalise(const LatentSpace& latent, std::int64_t channels, std::span<float> clip) {
  if (latent.mean.empty() && latent.std.empty()) return;
  const std::size_t plane = clip.size() / static_cast<std::size_t>(channels);
  for (std::size_t c = 0; c < static_cast<std::size_t>(channels); ++c) {
    const auto mean = static_cast<float>(latent.mean.empty() ? 0 : latent.mean[c]);
    const auto std = static_cast<float>(latent.std.empty() ? 1 : latent.std[c]);
    for (float& value : clip.subspan(c * plane, plane)) value = (value - mean) / std;
  }
}

}  // namespace

struct Dataset::Rep {
  std::filesystem::path directory;
  Manifest manifest;
  Prompts prompts;
  std::int64_t context_length = 0;
  std::vector<Shard> shards;
  std::vector<std::int64_t> ends;  // per shard, the index after its last clip
  std::vector<std::int32_t> labels;
  std::size_t bytes_per_clip = 0;

  /// Returns the shard of clip `index` and the clip's index within it.
  [[nodiscard]] std::pair<const Shard&, std::int64_t> find(std::int64_t index) const {
    if (index < 0 || index >= manifest.count) {
      throw InvalidArgument(str("[dataset] clip index ", index, " is out of range: ",
                                directory.string(), " has ", manifest.count, " clips"));
    }
    const auto at = std::upper_bound(ends.begin(), ends.end(), index) - ends.begin();
    const std::int64_t first = at == 0 ? 0 : ends[static_cast<std::size_t>(at) - 1];
    return {shards[static_cast<std::size_t>(at)], index - first};
  }
};

Dataset::Dataset(const std::filesystem::path& directory) : rep_(std::make_unique<Rep>()) {
  Rep& rep = *rep_;
  rep.directory = directory;
  rep.manifest = read_manifest(directory);
  const DatasetSpec& spec = rep.manifest.spec;
  rep.bytes_per_clip = static_cast<std::size_t>(element_count(spec.shape)) * size_of(spec.dtype);
  std::int64_t first = 0;
  for (const ShardEntry& entry : rep.manifest.shards) {
    Shard shard(directory / entry.file, first);
    check_against_manifest(shard, entry, spec);
    rep.labels.insert(rep.labels.end(), shard.labels().begin(), shard.labels().end());
    rep.ends.push_back(first += entry.count);
    rep.shards.push_back(std::move(shard));
  }
  rep.prompts = read_prompts(directory, spec);
  if (spec.text) rep.context_length = spec.text->max_length;
}

Dataset::~Dataset() = default;
Dataset::Dataset(Dataset&&) noexcept = default;

const Manifest& Dataset::manifest() const {
  return rep_->manifest;
}
const std::filesystem::path& Dataset::directory() const {
  return rep_->directory;
}
std::int64_t Dataset::size() const {
  return rep_->manifest.count;
}
Shape Dataset::clip_shape() const {
  return rep_->manifest.spec.shape;
}
std::int64_t Dataset::class_count() const {
  return rep_->manifest.spec.class_count;
}
std::vector<std::string> Dataset::class_names() const {
  return rep_->manifest.spec.class_names;
}
double Dataset::fps() const {
  return rep_->manifest.spec.fps;
}
std::span<const std::int32_t> Dataset::labels() const {
  return rep_->labels;
}
std::size_t Dataset::bytes_per_clip() const {
  return rep_->bytes_per_clip;
}

std::uint64_t Dataset::stored_bytes() const {
  std::uint64_t sum = 0;
  for (const ShardEntry& shard : rep_->manifest.shards) sum += shard.bytes;
  return sum;
}

std::int32_t Dataset::read(std::int64_t index, std::span<float> clip) const {
  const DatasetSpec& spec = rep_->manifest.spec;
  const auto elements = static_cast<std::size_t>(element_count(spec.shape));
  if (clip.size() != elements) {
    throw InvalidArgument(str("[dataset] the buffer holds ", clip.size(),
                              " floats, but a clip of shape ", spec.shape, " has ", elements));
  }
  thread_local std::vector<std::byte> stored;
  stored.resize(rep_->bytes_per_clip);
  const std::int32_t label = read_stored(index, stored);
  map_to_float(spec.dtype, stored, spec.mapping, clip);
  normalise(spec.latent, spec.shape[0], clip);
  return label;
}

Shape Dataset::context_shape() const {
  const auto& text = rep_->manifest.spec.text;
  return text ? Shape{rep_->context_length, text->width} : Shape{};
}

const Prompts& Dataset::prompts() const {
  return rep_->prompts;
}

std::int64_t Dataset::captions(std::int64_t index) const {
  const auto [shard, position] = rep_->find(index);
  return shard.captions(position);
}

std::int64_t Dataset::caption_rows(std::int64_t index, std::int64_t k) const {
  const auto [shard, position] = rep_->find(index);
  return shard.caption(position, k).rows;
}

void Dataset::set_context_length(std::int64_t length) {
  const auto& text = rep_->manifest.spec.text;
  const std::string where = str("[dataset] ", rep_->directory.string(), ": ");
  if (!text) throw InvalidArgument(where + "a context length for a data set without text");
  std::int64_t longest = 0;
  for (const Shard& shard : rep_->shards) longest = std::max(longest, shard.index().records->rows);
  for (const Prompt& prompt : rep_->prompts)
    longest = std::max(longest, static_cast<std::int64_t>(prompt.values.size()) / text->width);
  if (length < longest || length > kMaxCaptionRows) {
    throw InvalidArgument(str(where, "context length ", length, ": expected ", longest, " to ",
                              kMaxCaptionRows, ", as the longest caption or prompt has ", longest,
                              " tokens"));
  }
  rep_->context_length = length;
}

namespace {

void check_context_size(std::span<float> context, const Shape& shape) {
  if (static_cast<std::int64_t>(context.size()) == element_count(shape) && shape.rank() == 2)
    return;
  throw InvalidArgument(str("[dataset] the buffer holds ", context.size(),
                            " floats, but the context of a clip is ", shape));
}

}  // namespace

void Dataset::read_context(std::int64_t index, std::uint64_t draw, std::span<float> context) const {
  check_context_size(context, context_shape());
  const TextSpec& text = *rep_->manifest.spec.text;
  const auto [shard, position] = rep_->find(index);
  const auto count = static_cast<std::uint64_t>(shard.captions(position));
  const CaptionEntry& caption = shard.caption(position, static_cast<std::int64_t>(draw % count));
  const auto values = static_cast<std::size_t>(caption.rows * text.width);
  thread_local std::vector<std::byte> stored;
  stored.resize(values * size_of(text.dtype));
  shard.read_embedding(caption, stored);
  map_to_float(text.dtype, stored, ValueMapping{}, context.first(values));
  std::fill(context.begin() + static_cast<std::ptrdiff_t>(values), context.end(), 0.0f);
}

void Dataset::read_null_context(std::span<float> context) const {
  check_context_size(context, context_shape());
  std::fill(context.begin(), context.end(), 0.0f);
  if (const Prompt* null = find_prompt(rep_->prompts, kNullPrompt))
    std::copy(null->values.begin(), null->values.end(), context.begin());
}

std::vector<std::vector<std::string>> Dataset::read_captions() const {
  std::vector<std::vector<std::string>> captions(static_cast<std::size_t>(size()));
  std::size_t clip = 0;
  for (const Shard& shard : rep_->shards) {
    const std::string strings = shard.read_strings();
    const auto count = static_cast<std::int64_t>(shard.index().samples.size());
    for (std::int64_t i = 0; i < count; ++i, ++clip) {
      for (std::int64_t k = 0; k < shard.captions(i); ++k) {
        const CaptionEntry& entry = shard.caption(i, k);
        captions[clip].push_back(strings.substr(static_cast<std::size_t>(entry.text_offset),
                                                static_cast<std::size_t>(entry.text_bytes)));
      }
    }
  }
  return captions;
}

std::vector<ClipRecord> Dataset::read_sources() const {
  std::vector<ClipRecord> out;
  for (const Shard& shard : rep_->shards) {
    const std::string strings = shard.read_strings();
    for (const SourceEntry& entry : shard.read_sources()) {
      const auto begin = static_cast<std::size_t>(std::max<std::int64_t>(0, entry.name_offset));
      ClipRecord record;
      if (begin <= strings.size())
        record.source = strings.substr(begin, static_cast<std::size_t>(entry.name_bytes));
      record.width = entry.width, record.height = entry.height, record.frames = entry.frames;
      record.fps = static_cast<double>(entry.fps_millionths) / 1e6;
      out.push_back(std::move(record));
    }
  }
  return out;
}

std::int32_t Dataset::read_stored(std::int64_t index, std::span<std::byte> clip) const {
  if (clip.size() != rep_->bytes_per_clip) {
    throw InvalidArgument(str("[dataset] the buffer holds ", clip.size(), " bytes, but a clip has ",
                              rep_->bytes_per_clip));
  }
  const auto [shard, position] = rep_->find(index);
  shard.read(position, clip);
  return rep_->labels[static_cast<std::size_t>(index)];
}

namespace {

/// Runs one check; records the error if it throws. Returns whether it passed.
template <class Check>
bool passes(std::vector<Fault>& faults, const std::filesystem::path& file, std::int64_t sample,
            std::uint64_t offset, const Check& check) {
  try {
    check();
    return true;
  } catch (const Error& e) {
    faults.push_back({file, sample, offset, e.what()});
    return false;
  }
}

void verify_shard(const std::filesystem::path& path, const ShardEntry& entry, std::int64_t first,
                  const DatasetSpec& spec, std::vector<Fault>& faults,
                  const std::function<void(std::int64_t)>& one_done) {
  std::optional<Shard> shard;
  const bool opened = passes(faults, path, -1, 0, [&] {
    shard.emplace(path, first);
    check_against_manifest(*shard, entry, spec);
  });
  if (!opened) return one_done(entry.count);
  std::vector<std::byte> clip(static_cast<std::size_t>(element_count(spec.shape)) *
                              size_of(spec.dtype));
  for (std::int64_t i = 0; i < entry.count; ++i) {
    const SampleEntry& sample = shard->index().samples[static_cast<std::size_t>(i)];
    passes(faults, path, first + i, sample.offset, [&] { shard->read(i, clip); });
    one_done(1);
  }
  passes(faults, path, -1, shard->index().user_block, [&] { shard->verify_records(); });
  passes(faults, path, -1, shard->index().user_block, [&] { shard->verify_structure(); });
}

}  // namespace

std::vector<Fault> verify_dataset(
    const std::filesystem::path& directory,
    const std::function<void(std::int64_t done, std::int64_t total)>& progress) {
  std::vector<Fault> faults;
  Manifest manifest;
  if (!passes(faults, directory / kManifestName, -1, 0,
              [&] { manifest = read_manifest(directory); })) {
    return faults;
  }
  std::int64_t done = 0, first = 0;
  for (const ShardEntry& entry : manifest.shards) {
    verify_shard(directory / entry.file, entry, first, manifest.spec, faults,
                 [&](std::int64_t clips) {
                   done += clips;
                   if (progress) progress(done, manifest.count);
                 });
    first += entry.count;
  }
  passes(faults, directory / kPromptsName, -1, 0,
         [&] { static_cast<void>(read_prompts(directory, manifest.spec)); });
  return faults;
}

}  // namespace eflow::io
