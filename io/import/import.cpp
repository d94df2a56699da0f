#include "eflow/io/import/import.hpp"

#include <algorithm>
#include <cmath>
#include <map>

#include "eflow/io/dataset/class_names.hpp"
#include "eflow/io/import/clip_convert.hpp"
#include "eflow/io/import/latent_spaces.hpp"
#include "eflow/io/import/survey.hpp"

namespace eflow::io {
namespace {

constexpr std::size_t kSkippedKept = 1000;

/// What the second pass needs: the data set's spec and how its clips are made.
struct Plan {
  DatasetSpec spec{};
  Conversion conversion{};     ///< of items that are stored as they are
  Conversion denormalising{};  ///< of normalised items, whose statistics are recorded
  bool normalised_by_default = false;
  Prompts prompts{};
  std::map<std::string, std::int32_t> label_of_name{};
  std::int32_t bucket = 0;
};

class Import {
 public:
  Import(ItemSource& source, const std::filesystem::path& out, const ImportOptions& options)
      : source_(source), out_(out), options_(options) {
    check_class_names(options.pack.class_names);
    if (options.parts < 1 || options.part < 0 || options.part >= options.parts)
      throw InvalidArgument(str("[import] part ", options.part, " of ", options.parts,
                                "; parts are numbered from 0"));
    if (!options.text.empty()) table_.emplace(options.text);
  }
  ImportReport run();

 private:
  [[nodiscard]] const CaptionTable* table() const { return table_ ? &*table_ : nullptr; }
  void note(const std::string& text) { report_.notes.push_back(text); }
  void skip(const std::string& source, const std::string& reason);
  void choose_bucket(Survey& survey);
  void plan_values(const Bucket& bucket);
  [[nodiscard]] FloatRange range_for(const Bucket& bucket);
  void plan_latents(const Bucket& bucket);
  void plan_classes(const Bucket& bucket);
  void plan_text(const Bucket& bucket);
  [[nodiscard]] std::string content_key(const Bucket& bucket) const;
  [[nodiscard]] std::int32_t label_of(const Item& item) const;
  /// Why this item of the chosen shape cannot be used, or "".
  [[nodiscard]] std::string misfit(const Item& item, std::int64_t index) const;
  void write(const Survey& survey);
  void write_item(Item& item, std::int64_t index, DatasetWriter& writer);

  ItemSource& source_;
  const std::filesystem::path& out_;
  const ImportOptions& options_;
  std::optional<CaptionTable> table_;
  Plan plan_;
  ImportReport report_;
  std::vector<std::byte> clip_;
};

void Import::skip(const std::string& source, const std::string& reason) {
  if (options_.strict) throw InvalidArgument(str("[import] ", source, ": ", reason));
  ++report_.skipped_count;
  if (report_.skipped.size() < kSkippedKept) report_.skipped.push_back({source, reason});
}

void Import::choose_bucket(Survey& survey) {
  std::string shapes;
  std::size_t best = 0;
  for (std::size_t i = 0; i < survey.buckets.size(); ++i) {
    const Bucket& bucket = survey.buckets[i];
    if (i < 12) shapes += str(i ? ", " : "", bucket.shape, " (", bucket.items, ")");
    const bool wanted = options_.shape && bucket.shape == *options_.shape;
    if (wanted || (!options_.shape && bucket.items > survey.buckets[best].items)) best = i;
  }
  if (survey.buckets.empty()) {
    const std::string first =
        report_.skipped.empty()
            ? std::string("it holds none")
            : str("none of ", report_.skipped_count, " can be used. The first is ",
                  report_.skipped.front().source, ": ", report_.skipped.front().reason);
    throw InvalidArgument("[import] there are no clips to pack: " + first);
  }
  if (options_.shape && survey.buckets[best].shape != *options_.shape) {
    throw InvalidArgument(
        str("[import] no clip has the shape ", *options_.shape, "; there are ", shapes));
  }
  plan_.bucket = static_cast<std::int32_t>(best);
  if (survey.buckets.size() > 1) {
    note(str("clips have several shapes, [C, T, H, W] (number): ", shapes, ". Packed are those of ",
             survey.buckets[best].shape,
             "; make one data set of each shape (--shape) and train on them as buckets"));
  }
}

FloatRange Import::range_for(const Bucket& bucket) {
  if (options_.pack.float_range) return *options_.pack.float_range;
  const std::int64_t channels = bucket.shape[0];
  const bool latents = (channels != 1 && channels != 3) || !bucket.latent_spaces.empty() ||
                       options_.latent || options_.measure_latents ||
                       options_.normalised != Normalised::kUnknown;
  if (latents) return FloatRange::kAny;
  require_symmetric("the clips", lowest_of(bucket.stats), highest_of(bucket.stats));
  report_.pack.guessed_range = FloatRange::kSymmetric;
  return FloatRange::kSymmetric;
}

void Import::plan_values(const Bucket& bucket) {
  const bool bytes = bucket.elements.contains(Element::kU8);
  if (bytes && bucket.elements.size() > 1) {
    throw InvalidArgument(
        "[import] some clips are u8, which are pixels from 0 to 255, and others "
        "are floats; pack them as two data sets");
  }
  const DType input = bytes ? DType::kU8 : DType::kF32;
  const FloatRange range = bytes ? FloatRange::kSymmetric : range_for(bucket);
  const bool all_bf16 = bucket.elements == std::set<Element>{Element::kBF16};
  const bool restored =
      bucket.normalised.contains(Normalised::kYes) || options_.normalised == Normalised::kYes;
  const DType automatic = bytes ? DType::kU8 : all_bf16 && !restored ? DType::kBF16 : DType::kF32;
  plan_.spec.dtype = options_.pack.dtype.value_or(automatic);
  if (bytes && plan_.spec.dtype != DType::kU8) {
    throw InvalidArgument(
        str("[import] u8 clips are stored as u8, not ", plan_.spec.dtype, "; leave out --dtype"));
  }
  if (!bytes && plan_.spec.dtype == DType::kU8 && range == FloatRange::kAny)
    throw InvalidArgument("[import] latents of any range cannot be stored as u8; use bf16 or f32");
  plan_.spec.mapping = mapping_of(input, plan_.spec.dtype, range);
  const ValueMapping to_values = input_mapping(input, range);
  plan_.conversion = {range_of(input, range),
                      {to_values.scale},
                      {to_values.offset},
                      plan_.spec.dtype,
                      plan_.spec.mapping};
  if (range == FloatRange::kAny) plan_latents(bucket);
}

/// The one latent space that the items name, or "".
std::string space_of(const Bucket& bucket) {
  if (bucket.latent_spaces.size() > 1) {
    throw InvalidArgument(
        str("[import] the clips are of several latent spaces: ", *bucket.latent_spaces.begin(),
            " and ", *std::next(bucket.latent_spaces.begin()), "; pack them apart"));
  }
  return bucket.latent_spaces.empty() ? "" : *bucket.latent_spaces.begin();
}

void Import::plan_latents(const Bucket& bucket) {
  const bool some_normalised =
      bucket.normalised.contains(Normalised::kYes) ||
      (options_.normalised == Normalised::kYes && bucket.normalised.contains(Normalised::kUnknown));
  LatentSpace& space = plan_.spec.latent;
  const std::string named = space_of(bucket);
  space = options_.latent ? *options_.latent : known_latent_space(named).value_or(LatentSpace{});
  if (space.name.empty()) space.name = named;
  if (options_.measure_latents) {
    if (some_normalised || options_.parts > 1) {
      throw InvalidArgument(some_normalised
                                ? "[import] the clips are normalised already; their statistics "
                                  "cannot be measured. Name the latent space instead"
                                : "[import] each part would measure statistics of its own; measure "
                                  "them once, and give every part the same");
    }
    for (const ChannelMoments& channel : bucket.stats) {
      space.mean.push_back(channel.mean);
      space.std.push_back(channel.std() > 0 ? channel.std() : 1);
    }
  }
  if (!space.mean.empty() && static_cast<std::int64_t>(space.mean.size()) != bucket.shape[0]) {
    throw InvalidArgument(str("[import] the latent space ", space.name, " has ", space.mean.size(),
                              " channels, the clips have ", bucket.shape[0]));
  }
  plan_.normalised_by_default = options_.normalised == Normalised::kYes;
  plan_.denormalising = plan_.conversion;
  if (some_normalised && !space.mean.empty()) {
    plan_.denormalising.scale = space.std, plan_.denormalising.offset = space.mean;
  }
  if (!some_normalised && space.mean.empty() && looks_unnormalised(bucket.stats)) {
    note(
        "these latents look unnormalised, and no statistics are recorded: a model trains better on "
        "mean 0 and standard deviation 1 per channel. Pass --latent-space wan2.1, a file of "
        "statistics, or measure");
  }
  if (!some_normalised && !space.mean.empty() && !options_.measure_latents &&
      options_.normalised == Normalised::kUnknown && !bucket.normalised.contains(Normalised::kNo) &&
      !looks_unnormalised(bucket.stats)) {
    note(str("these latents look normalised already, but are packed as not normalised values of ",
             space.name.empty() ? "a space with statistics" : space.name,
             ". If they are, pass --normalised yes"));
  }
}

void Import::plan_classes(const Bucket& bucket) {
  if (bucket.named > 0 && bucket.numbered > 0)
    throw InvalidArgument("[import] some clips have class names and others numbers");
  const PackOptions& pack = options_.pack;
  plan_.spec.class_names = pack.class_names;
  if (bucket.named > 0 && pack.class_names.empty()) {
    if (options_.parts > 1) {
      throw InvalidArgument(
          "[import] parts of an import need the same classes; list them in a file "
          "for --names");
    }
    plan_.spec.class_names.assign(bucket.class_names.begin(), bucket.class_names.end());
    check_class_names(plan_.spec.class_names);
  }
  if (bucket.named > 0) {
    for (std::size_t i = 0; i < plan_.spec.class_names.size(); ++i)
      plan_.label_of_name.emplace(plan_.spec.class_names[i], static_cast<std::int32_t>(i));
  }
  constexpr std::int64_t kMaxClasses = 1 << 20;
  plan_.spec.class_count = pack.class_count;
  if (plan_.spec.class_count == 0)
    plan_.spec.class_count = static_cast<std::int64_t>(plan_.spec.class_names.size());
  if (bucket.named + bucket.numbered == 0 && plan_.spec.class_count > 0)
    throw InvalidArgument("[import] classes were given, but no clip has a label");
  if (plan_.spec.class_count == 0 && bucket.numbered > 0) {
    if (options_.parts > 1)
      throw InvalidArgument("[import] parts of an import need the same classes; pass --classes");
    plan_.spec.class_count = std::clamp<std::int64_t>(bucket.largest_label, 0, kMaxClasses - 1) + 1;
  }
}

void Import::plan_text(const Bucket& bucket) {
  if (bucket.captioned == 0) {
    if (table_) {
      throw InvalidArgument(str("[import] ", options_.text.string(),
                                " gives no clip a caption: the clips bring none, and the table "
                                "assigns none by their number (array clip_captions)"));
    }
    if (bucket.texts_only > 0) {
      note(str(bucket.texts_only,
               " clips have captions, which are left out, since there are no embeddings of them. "
               "To train on text: `eflow data captions`, scripts/python/encode_captions.py, then "
               "pack with --text"));
    }
    return;
  }
  TextSpec text;
  std::set<std::int64_t> widths = bucket.text_widths;
  if (table_) widths.insert(table_->table().width());
  if (widths.size() > 1) {
    throw InvalidArgument(str("[import] embeddings have ", *widths.begin(), " and ",
                              *std::next(widths.begin()),
                              " values per token: they are of different text encoders"));
  }
  text.width = *widths.begin();
  constexpr std::int64_t kCommonLength = 512;  // of T5 in Wan and others
  text.max_length = std::max(bucket.longest, table_ ? table_->table().max_length() : kCommonLength);
  const bool table_bf16 = !table_ || table_->table().dtype() == DType::kBF16;
  text.dtype = bucket.text_is_bf16 && table_bf16 ? DType::kBF16 : DType::kF32;
  if (table_) {
    text.encoder = table_->table().encoder(), text.encoder_hash = table_->table().encoder_hash();
    for (const std::string& name : table_->table().prompt_names())
      plan_.prompts.push_back({name, table_->table().read_prompt(name)});
  }
  if (!find_prompt(plan_.prompts, kNullPrompt)) {
    note(
        "the embedding of the empty caption is missing; training and guidance use zeros instead. "
        "Pass a table that has it: --text");
  }
  plan_.spec.text = text;
}

std::string Import::content_key(const Bucket& bucket) const {
  std::string key = str("import/1 ", to_hex(bucket.content), " ", options_.part, "/",
                        options_.parts, " ", static_cast<int>(options_.normalised), " ",
                        plan_.conversion.scale.front(), " ", plan_.conversion.offset.front());
  if (table_) key += " " + to_hex(table_->hash());
  return key;
}

std::int32_t Import::label_of(const Item& item) const {
  if (plan_.spec.class_count == 0) return 0;
  if (!item.class_name.empty()) return plan_.label_of_name.at(item.class_name);
  return static_cast<std::int32_t>(*item.label);
}

std::string Import::misfit(const Item& item, std::int64_t index) const {
  const std::int64_t classes = plan_.spec.class_count;
  if (classes > 0 && item.class_name.empty() && !item.label) return "it has no label";
  if (classes > 0 && !item.class_name.empty() && !plan_.label_of_name.contains(item.class_name))
    return str("its class \"", item.class_name, "\" is not among the names");
  if (classes > 0 && item.class_name.empty() && (*item.label < 0 || *item.label >= classes))
    return str("its label ", *item.label, " is not in 0 to ", classes - 1);
  if (plan_.spec.text && resolve_captions(item, index, table()).empty())
    return "it has no caption with an embedding";
  return "";
}

void Import::write_item(Item& item, std::int64_t index, DatasetWriter& writer) {
  const ClipWalk walk = walk_of(item, options_.pack.layout);
  const bool normalised = item.normalised == Normalised::kYes ||
                          (item.normalised == Normalised::kUnknown && plan_.normalised_by_default);
  convert(item, walk, normalised ? plan_.denormalising : plan_.conversion, clip_);
  ClipRecord record{.clip = clip_, .label = label_of(item)};
  if (plan_.spec.text) {
    for (const ResolvedCaption& caption : resolve_captions(item, index, table()))
      record.captions.push_back(record_of(caption, table(), plan_.spec.text->dtype));
  }
  if (plan_.spec.sources) {
    record.source = item.source;
    record.fps = item.fps;
    record.width = item.width, record.height = item.height, record.frames = item.frames;
  }
  writer.add(record);
}

/// Skips are decided again in each pass over the items, from the same data: in the second, what the
/// first has counted already is not counted again.
void Import::write(const Survey& survey) {
  DatasetWriter writer(out_, plan_.spec, options_.pack.limits, options_.pack.foreign,
                       plan_.prompts);
  PackReport& report = report_.pack;
  report.spec = plan_.spec;
  report.already_there = writer.complete();
  report.repaired = writer.repairing();
  report.continued_from = report.already_there || report.repaired ? 0 : writer.clips_done();
  clip_.resize(static_cast<std::size_t>(element_count(plan_.spec.shape)) *
               size_of(plan_.spec.dtype));
  source_.rewind();
  Item item;
  std::int64_t usable = 0;  // items so far that belong to the data set
  const auto items = static_cast<std::int64_t>(survey.bucket_of_item.size());
  for (std::int64_t index = 0; index < items; ++index) {
    if (options_.pack.stop.stop_requested()) {
      report.clips = writer.clips_done();
      return;
    }
    const std::int32_t bucket = survey.bucket_of_item[static_cast<std::size_t>(index)];
    try {
      if (!source_.next(item)) throw CorruptData("[import] the clips changed while being packed");
      if (bucket == Survey::kLeftOut) continue;
      if (bucket != plan_.bucket) {
        skip(item.source,
             str("its shape is ", survey.buckets[static_cast<std::size_t>(bucket)].shape, ", not ",
                 plan_.spec.shape));
        continue;
      }
      if (const std::string why = misfit(item, index); !why.empty()) {
        skip(item.source, why);
        continue;
      }
      // After a seal, the writer may be ahead by the clips of shards that it kept.
      if (writer.clips_done() == usable && !writer.complete()) write_item(item, index, writer);
      ++usable;
    } catch (const ItemFault& fault) {
      if (bucket != Survey::kLeftOut)
        throw CorruptData(
            str("[import] ", fault.source, " changed while being packed: ", fault.why));
    }
    if (options_.pack.progress) options_.pack.progress(index + 1, items);
  }
  if (usable == 0) {
    throw InvalidArgument(str("[import] there are no clips to pack: all ", report_.skipped_count,
                              " were skipped. The first is ", report_.skipped.front().source, ": ",
                              report_.skipped.front().reason));
  }
  const Manifest manifest = writer.finish();
  report.finished = true;
  report.clips = manifest.count;
  for (const ShardEntry& shard : manifest.shards) report.stored_bytes += shard.bytes;
}

ImportReport Import::run() {
  Survey survey = survey_items(source_, options_, table(),
                               [this](const auto& s, const auto& r) { skip(s, r); });
  if (options_.pack.stop.stop_requested()) return report_;
  const auto& assigned =
      table_ ? table_->table().clip_captions() : std::vector<std::vector<std::int64_t>>{};
  choose_bucket(survey);
  const Bucket& bucket = survey.buckets[static_cast<std::size_t>(plan_.bucket)];
  if (bucket.by_number > 0 && assigned.size() != survey.bucket_of_item.size()) {
    throw InvalidArgument(str("[import] ", options_.text.string(), " assigns captions to ",
                              assigned.size(), " clips, but there are ",
                              survey.bucket_of_item.size()));
  }
  plan_.spec.shape = bucket.shape;
  constexpr double kFps = 8;  // where nobody knows
  plan_.spec.fps = options_.pack.fps > 0 ? options_.pack.fps : bucket.fps > 0 ? bucket.fps : kFps;
  plan_.spec.sources = options_.record_sources;
  plan_.spec.creator = "eflow data pack";
  plan_values(bucket);
  plan_classes(bucket);
  plan_text(bucket);
  plan_.spec.content_key = content_key(bucket);
  plan_.spec.check();
  write(survey);
  return report_;
}

}  // namespace

ImportReport import_items(ItemSource& source, const std::filesystem::path& out,
                          const ImportOptions& options) {
  return Import(source, out, options).run();
}

}  // namespace eflow::io
