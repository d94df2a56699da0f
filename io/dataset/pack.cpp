// Packs NumPy arrays and clip sources. Labels and values are checked and the content is hashed
// before the writer opens: the hash is part of the content key, and bad input fails before anything
// is written or, with ForeignFiles::kOverwrite, removed.
#include "eflow/io/dataset/pack.hpp"

#include <algorithm>
#include <array>
#include <limits>

#include "eflow/core/base/error.hpp"
#include "eflow/core/base/hash.hpp"
#include "eflow/io/arrays/text_table.hpp"
#include "eflow/io/dataset/class_names.hpp"
#include "eflow/io/dataset/clip_values.hpp"
#include "eflow/io/dataset/labels.hpp"
#include "eflow/io/dataset/npy.hpp"

namespace eflow::io {
namespace {

NpyFile open_videos(const std::filesystem::path& path) {
  NpyFile file(path);
  if (file.dtype() != DType::kU8 && file.dtype() != DType::kF32 && file.dtype() != DType::kF64) {
    throw InvalidArgument(str("[pack] ", path.string(), " holds ", file.dtype(),
                              "; videos must be u8, f32 or f64. Convert "
                              "it in Python: np.save(path, array.astype('<f4')) for numbers, or, "
                              "for pixels from 0 to 255, np.save(path, array.astype('u1'))"));
  }
  if (file.shape().rank() < 4 || element_count(file.shape()) == 0) {
    throw InvalidArgument(str("[pack] ", path.string(), " has shape ", file.shape(),
                              "; expected clips such as [N, T, H, W, C]"));
  }
  return file;
}

DType stored_dtype(DType input, const PackOptions& options) {
  const DType stored = options.dtype.value_or(input == DType::kU8 ? DType::kU8 : DType::kF32);
  if (input == DType::kU8 && stored != DType::kU8) {
    throw InvalidArgument(str("[pack] u8 videos are stored as u8, not ", stored,
                              "; leave out --dtype, or convert them to floats first"));
  }
  if (stored == DType::kU8 && input != DType::kU8 && options.float_range == FloatRange::kAny) {
    throw InvalidArgument("[pack] latents of any range cannot be stored as u8; use bf16 or f32");
  }
  return stored;
}

/// The array of videos and how its clips become values.
struct Videos {
  NpyFile file;
  std::string where{};  ///< in messages
  std::string layout{};
  ClipWalk walk{};
  std::vector<std::byte> row{};  ///< the clip read last, as stored
  Values values{};               ///< the same in the order C, T, H, W

  [[nodiscard]] bool floats() const { return file.dtype() != DType::kU8; }
  void read(std::int64_t clip) { file.read_rows(clip, 1, row); }
  void gather_values() { gather(file.dtype(), row, walk, values); }
};

Videos open_clips(const std::filesystem::path& path, const PackOptions& options) {
  Videos out{.file = open_videos(path)};
  out.where = path.string();
  const Shape& shape = out.file.shape();
  out.layout = options.layout.empty() ? infer_layout(shape, out.where) : options.layout;
  out.walk = walk_of(out.layout, shape, out.where);
  out.row.resize(static_cast<std::size_t>(out.file.row_elements()) * size_of(out.file.dtype()));
  out.values.resize(static_cast<std::size_t>(element_count(out.walk.shape)));
  return out;
}

/// Reads all clips once, before anything is written: hashes the content, chained clip by clip so
/// that memory stays bounded, and checks the values. Sets *range if the options leave it open.
std::string survey(Videos& videos, const std::stop_token& stop, std::optional<FloatRange>* range) {
  Hash128 chain;
  double lowest = std::numeric_limits<double>::infinity(), highest = -lowest;
  const ValueRange allowed = range_of(videos.file.dtype(), range->value_or(FloatRange::kAny));
  for (std::int64_t i = 0; i < videos.file.rows() && !stop.stop_requested(); ++i) {
    videos.read(i);
    const std::array<Hash128, 2> link{chain, hash128(videos.row)};
    chain = hash128(std::as_bytes(std::span(link)));
    if (!videos.floats()) continue;
    videos.gather_values();
    check_values(videos.values, allowed, i, videos.walk.shape, videos.where);
    const auto [low, high] = std::minmax_element(videos.values.begin(), videos.values.end());
    lowest = std::min(lowest, *low), highest = std::max(highest, *high);
  }
  if (!*range && videos.floats() && !stop.stop_requested())
    require_symmetric(videos.where, lowest, highest);
  if (!*range) *range = FloatRange::kSymmetric;
  return to_hex(chain);
}

/// The captions of the clips that are packed.
class Captions {
 public:
  /// Opens the table, if there is one. Throws InvalidArgument unless it has captions for `clips`.
  Captions(const std::filesystem::path& path, std::int64_t clips) {
    if (path.empty()) return;
    table_.emplace(path);
    const auto& assigned = table_->clip_captions();
    const auto found =
        assigned.empty() ? table_->size() : static_cast<std::int64_t>(assigned.size());
    if (found == clips) return;
    throw InvalidArgument(str("[pack] ", path.string(), " has captions for ", found,
                              " clips, but there are ", clips,
                              " clips; encode one caption, or one line of captions, per clip"));
  }

  [[nodiscard]] std::optional<TextSpec> spec() const {
    if (!table_) return std::nullopt;
    return TextSpec{.dtype = table_->dtype(),
                    .width = table_->width(),
                    .max_length = table_->max_length(),
                    .encoder = table_->encoder(),
                    .encoder_hash = table_->encoder_hash()};
  }

  [[nodiscard]] Prompts prompts() const {
    Prompts prompts;
    if (!table_) return prompts;
    for (const std::string& name : table_->prompt_names())
      prompts.push_back({name, table_->read_prompt(name)});
    return prompts;
  }

  [[nodiscard]] std::vector<CaptionRecord> of_clip(std::int64_t clip) const {
    std::vector<CaptionRecord> records;
    if (!table_) return records;
    const auto& assigned = table_->clip_captions();
    if (assigned.empty()) return {record(clip)};
    for (const std::int64_t i : assigned[static_cast<std::size_t>(clip)])
      records.push_back(record(i));
    return records;
  }

  /// Hash of the table's file; "" if there is none.
  [[nodiscard]] std::string key() const {
    return table_ ? str("-", to_hex(table_->hash())) : std::string();
  }

 private:
  [[nodiscard]] CaptionRecord record(std::int64_t i) const {
    return make_caption(table_->caption(i), table_->rows(i), table_->read(i), table_->dtype());
  }

  std::optional<TextTable> table_;
};

/// Writes all clips; fill(i, bytes) stores the encoded bytes of clip i and returns its label.
template <class Fill>
PackReport write_all_clips(const std::filesystem::path& out, const DatasetSpec& spec,
                           std::int64_t clips, const PackOptions& options, const Captions& captions,
                           const Fill& fill) {
  DatasetWriter writer(out, spec, options.limits, options.foreign, captions.prompts());
  PackReport report;
  report.spec = spec;
  report.already_there = writer.complete();
  report.repaired = writer.repairing();
  report.continued_from = report.already_there || report.repaired ? 0 : writer.clips_done();
  std::vector<std::byte> bytes(static_cast<std::size_t>(element_count(spec.shape)) *
                               size_of(spec.dtype));
  while (writer.clips_done() < clips) {
    const std::int64_t i = writer.clips_done();
    if (options.stop.stop_requested()) {
      report.clips = i;
      return report;
    }
    const std::int32_t label = fill(i, bytes);
    writer.add({.clip = bytes, .label = label, .captions = captions.of_clip(i)});
    if (options.progress) options.progress(i + 1, clips);
  }
  const Manifest manifest = writer.finish();
  report.finished = true;
  report.clips = manifest.count;
  for (const ShardEntry& shard : manifest.shards) report.stored_bytes += shard.bytes;
  return report;
}

DatasetSpec make_spec(DType dtype, const Shape& shape, std::int64_t class_count,
                      const PackOptions& options) {
  DatasetSpec spec;
  spec.dtype = dtype;
  spec.shape = shape;
  spec.class_count = class_count;
  spec.class_names = options.class_names;
  spec.fps = options.fps;
  return spec;
}

}  // namespace

PackReport pack_npy(const std::filesystem::path& videos, const std::filesystem::path& labels,
                    const std::filesystem::path& out, const PackOptions& options) {
  check_class_names(options.class_names);
  Videos clips = open_clips(videos, options);
  const DType input = clips.file.dtype();
  const Labels read = read_labels(labels, clips.file.rows(), options);
  const DType stored = stored_dtype(input, options);
  const Captions captions(options.text, clips.file.rows());

  DatasetSpec spec = make_spec(stored, clips.walk.shape, read.class_count, options);
  spec.creator = "eflow data pack";
  spec.text = captions.spec();
  spec.latent = options.latent;
  spec.check();
  std::optional<FloatRange> range = options.float_range;
  const std::string content = survey(clips, options.stop, &range);
  if (options.stop.stop_requested()) return {.layout = clips.layout, .spec = spec};
  spec.mapping = mapping_of(input, stored, *range);
  spec.content_key = str(content, "-", to_hex(hash64(std::as_bytes(std::span(read.values)))), "-",
                         clips.layout, "-", static_cast<int>(*range), captions.key());

  const ValueRange allowed = range_of(input, *range);
  const ValueMapping to_values = input_mapping(input, *range);
  PackReport report =
      write_all_clips(out, spec, clips.file.rows(), options, captions,
                      [&](std::int64_t i, std::span<std::byte> bytes) {
                        clips.read(i);
                        clips.gather_values();
                        check_values(clips.values, allowed, i, clips.walk.shape, clips.where);
                        for (double& v : clips.values) v = v * to_values.scale + to_values.offset;
                        encode(clips.values, stored, spec.mapping, bytes);
                        return read.values[static_cast<std::size_t>(i)];
                      });
  report.layout = clips.layout;
  if (clips.floats() && !options.float_range) report.guessed_range = range;
  return report;
}

PackReport pack_source(const ClipSource& source, const std::filesystem::path& out,
                       const std::string& content_key, const PackOptions& options) {
  PackOptions named = options;
  if (named.class_names.empty()) named.class_names = source.class_names();
  check_class_names(named.class_names);
  DatasetSpec spec = make_spec(options.dtype.value_or(DType::kU8), source.clip_shape(),
                               source.class_count(), named);
  spec.mapping = spec.dtype == DType::kU8 ? kPixelMapping : ValueMapping{};
  spec.fps = source.fps();
  spec.content_key = content_key;
  std::vector<float> clip(static_cast<std::size_t>(element_count(spec.shape)));
  Values values(clip.size());
  const ValueRange allowed =
      range_of(DType::kF32, spec.dtype == DType::kU8 ? FloatRange::kSymmetric : FloatRange::kAny);
  PackReport report = write_all_clips(out, spec, source.size(), options, Captions({}, 0),
                                      [&](std::int64_t i, std::span<std::byte> bytes) {
                                        const std::int32_t label = source.read(i, clip);
                                        std::copy(clip.begin(), clip.end(), values.begin());
                                        check_values(values, allowed, i, spec.shape, "the source");
                                        encode(values, spec.dtype, spec.mapping, bytes);
                                        return label;
                                      });
  report.layout = "NCTHW";
  return report;
}

}  // namespace eflow::io
