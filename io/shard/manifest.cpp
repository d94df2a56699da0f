#include "eflow/io/shard/manifest.hpp"

#include <cmath>

#include "eflow/core/base/atomic_file.hpp"
#include "eflow/core/base/error.hpp"
#include "eflow/io/shard/json_fields.hpp"
#include "eflow/io/shard/shard_format.hpp"

namespace eflow::io {
namespace {

constexpr const char* kFormat = "eflow-dataset";
constexpr int kVersion = 2;  ///< 1 for data sets without text, sources and latent space
constexpr std::uint64_t kMaxManifestBytes = 64 << 20;
constexpr std::int64_t kMaxClasses = 1 << 20;

using nlohmann::json;

/// Rejects shard names that would refer to a file outside the directory.
void check_file_name(const std::string& name, const std::filesystem::path& path) {
  if (name.empty() || name.size() > 255 || name == "." || name == ".." ||
      name.find('/') != std::string::npos || name.find('\0') != std::string::npos) {
    throw CorruptData(
        str("[manifest] ", path.string(), ": shard file \"", name, "\" is not a plain file name"));
  }
}

json shard_json(const ShardEntry& shard) {
  return {{"file", shard.file},
          {"count", shard.count},
          {"bytes", shard.bytes},
          {"index_hash", to_hex(shard.index_hash)}};
}

ShardEntry parse_shard(const json& object, const std::filesystem::path& path) {
  ShardEntry shard;
  shard.file = field<std::string>(object, "file", path);
  check_file_name(shard.file, path);
  shard.count = field<std::int64_t>(object, "count", path);
  shard.bytes = field<std::uint64_t>(object, "bytes", path);
  const auto hash = hash128_from_hex(field<std::string>(object, "index_hash", path));
  if (!hash || shard.count < 1 || shard.count > kMaxShardClips) {
    throw CorruptData(str("[manifest] ", path.string(), ", shard ", shard.file, ": invalid count ",
                          shard.count, " or index_hash"));
  }
  shard.index_hash = *hash;
  return shard;
}

TextSpec parse_text(const json& object, const std::filesystem::path& path) {
  TextSpec text;
  const auto dtype = dtype_from_name(field<std::string>(object, "dtype", path));
  if (!dtype) throw CorruptData(str("[manifest] ", path.string(), ": unknown dtype of the text"));
  text.dtype = *dtype;
  text.width = field<std::int64_t>(object, "width", path);
  text.max_length = field<std::int64_t>(object, "max_length", path);
  text.encoder = field<std::string>(object, "encoder", path);
  text.encoder_hash = field<std::string>(object, "encoder_hash", path);
  if (object.contains("prompts_hash")) {
    text.prompts_hash = hash128_from_hex(field<std::string>(object, "prompts_hash", path));
    if (!text.prompts_hash)
      throw CorruptData(str("[manifest] ", path.string(), ": invalid prompts_hash"));
  }
  return text;
}

json text_json(const TextSpec& text) {
  json out = {{"dtype", name_of(text.dtype)},
              {"width", text.width},
              {"max_length", text.max_length},
              {"encoder", text.encoder},
              {"encoder_hash", text.encoder_hash}};
  if (text.prompts_hash) out["prompts_hash"] = to_hex(*text.prompts_hash);
  return out;
}

/// The fields of version 2.
void parse_additions(const json& object, const std::filesystem::path& path, DatasetSpec* spec) {
  if (object.contains("text")) spec->text = parse_text(field<json>(object, "text", path), path);
  if (object.contains("latent")) {
    const auto latent = field<json>(object, "latent", path);
    spec->latent = {field<std::string>(latent, "name", path),
                    field<std::vector<double>>(latent, "mean", path),
                    field<std::vector<double>>(latent, "std", path)};
  }
  if (object.contains("sources")) spec->sources = field<bool>(object, "sources", path);
}

void check_text(const TextSpec& text) {
  if (text.dtype != DType::kBF16 && text.dtype != DType::kF32)
    throw InvalidArgument(str("[dataset] text of ", text.dtype, "; expected bf16 or f32"));
  if (text.width < 1 || text.width > kMaxTextWidth || text.max_length < 1 ||
      text.max_length > kMaxCaptionRows) {
    throw InvalidArgument(str("[dataset] text of ", text.max_length, " tokens of width ",
                              text.width, "; expected 1 to ", kMaxCaptionRows, " and 1 to ",
                              kMaxTextWidth));
  }
  if (!is_utf8(text.encoder) || !is_utf8(text.encoder_hash))
    throw InvalidArgument("[dataset] the name and hash of the text encoder must be UTF-8");
}

void check_latent(const LatentSpace& latent, std::int64_t channels) {
  if (!is_utf8(latent.name)) throw InvalidArgument("[dataset] latent space: expected UTF-8");
  for (const auto* values : {&latent.mean, &latent.std}) {
    if (!values->empty() && static_cast<std::int64_t>(values->size()) != channels) {
      throw InvalidArgument(str("[dataset] ", values->size(), " latent means or deviations for ",
                                channels, " channels; give one per channel or none"));
    }
    for (const double v : *values) {
      if (!std::isfinite(v) || (values == &latent.std && v <= 0))
        throw InvalidArgument(str("[dataset] latent mean or deviation ", v,
                                  ": expected finite numbers, deviations above 0"));
    }
  }
}

DatasetSpec parse_spec(const json& object, const std::filesystem::path& path) {
  DatasetSpec spec;
  const auto dtype = field<std::string>(object, "dtype", path);
  const auto known = dtype_from_name(dtype);
  if (!known)
    throw CorruptData(str("[manifest] ", path.string(), ": unknown dtype \"", dtype, "\""));
  spec.dtype = *known;
  const auto dims = field<std::vector<std::int64_t>>(object, "shape", path);
  if (dims.size() != 4) {
    throw CorruptData(
        str("[manifest] ", path.string(), ": shape has ", dims.size(), " sizes, expected 4"));
  }
  spec.shape = Shape(dims);
  spec.class_count = field<std::int64_t>(object, "class_count", path);
  spec.class_names = field<std::vector<std::string>>(object, "class_names", path);
  const auto value = field<json>(object, "value", path);
  spec.mapping = {field<double>(value, "scale", path), field<double>(value, "offset", path)};
  spec.fps = field<double>(object, "fps", path);
  spec.creator = field<std::string>(object, "creator", path);
  spec.content_key = field<std::string>(object, "content_key", path);
  parse_additions(object, path, &spec);
  try {
    spec.check();
  } catch (const InvalidArgument& e) {
    throw CorruptData(str("[manifest] ", path.string(), ": ", e.what()));
  }
  return spec;
}

void check_shape(const Shape& shape, DType dtype) {
  bool good = shape.rank() == 4;
  for (const std::int64_t d : shape) good = good && d >= 1 && d <= 1 << 20;
  if (!good) {
    throw InvalidArgument(
        str("[dataset] clips of shape ", shape, "; expected [C, T, H, W], each 1 to 2^20"));
  }
  if (element_count(shape) > static_cast<std::int64_t>(kMaxClipBytes / size_of(dtype))) {
    throw InvalidArgument(str("[dataset] a clip of shape ", shape, " ", dtype,
                              " is larger than 1 GiB; use shorter clips"));
  }
}

Manifest parse_fields(const std::string& text, const std::filesystem::path& path) {
  const json object = parse_checked(text, kFormat, kVersion, path);
  Manifest manifest;
  manifest.spec = parse_spec(object, path);
  manifest.count = field<std::int64_t>(object, "count", path);
  std::int64_t sum = 0;
  for (const json& shard : field<json>(object, "shards", path)) {
    manifest.shards.push_back(parse_shard(shard, path));
    sum += manifest.shards.back().count;
  }
  if (sum != manifest.count || sum < 1) {
    throw CorruptData(str("[manifest] ", path.string(), ": count is ", manifest.count,
                          ", but the shards have ", sum));
  }
  return manifest;
}

Manifest parse_manifest(const std::string& text, const std::filesystem::path& path) try {
  return parse_fields(text, path);
} catch (const CorruptData& error) {
  throw CorruptData(str(error.what(), "; pack the data set again, which repairs it"));
}

}  // namespace

void DatasetSpec::check() const {
  if (dtype != DType::kU8 && dtype != DType::kBF16 && dtype != DType::kF32) {
    throw InvalidArgument(str("[dataset] dtype ", dtype, " cannot be stored; use u8, bf16 or f32"));
  }
  check_shape(shape, dtype);
  if (class_count < 0 || class_count > kMaxClasses) {
    throw InvalidArgument(str("[dataset] ", class_count, " classes; expected 0 to ", kMaxClasses));
  }
  if (!class_names.empty() && static_cast<std::int64_t>(class_names.size()) != class_count) {
    throw InvalidArgument(str("[dataset] ", class_names.size(), " class names for ", class_count,
                              " classes; give one per class or none"));
  }
  for (std::size_t i = 0; i < class_names.size(); ++i) {
    if (!is_utf8(class_names[i]))
      throw InvalidArgument(str("[dataset] the name of class ", i, " is not UTF-8"));
  }
  if (text) check_text(*text);
  check_latent(latent, shape[0]);
  if (!is_utf8(creator) || !is_utf8(content_key))
    throw InvalidArgument("[dataset] creator and content_key must be UTF-8");
  if (!std::isfinite(mapping.scale) || !std::isfinite(mapping.offset) || mapping.scale == 0) {
    throw InvalidArgument(str("[dataset] value mapping scale ", mapping.scale, ", offset ",
                              mapping.offset, ": both must be finite and the scale not 0"));
  }
  if (!std::isfinite(fps) || fps <= 0) {
    throw InvalidArgument(str("[dataset] ", fps, " frames per second; expected a positive number"));
  }
}

std::string to_json(const Manifest& manifest) {
  const DatasetSpec& spec = manifest.spec;
  json shards = json::array();
  for (const ShardEntry& shard : manifest.shards) shards.push_back(shard_json(shard));
  const bool latent = !(spec.latent == LatentSpace{});
  json object = {{"format", kFormat},
                 {"version", spec.has_records() || latent ? 2 : 1},
                 {"dtype", name_of(spec.dtype)},
                 {"layout", "C,T,H,W"},
                 {"shape", std::vector<std::int64_t>(spec.shape.begin(), spec.shape.end())},
                 {"count", manifest.count},
                 {"class_count", spec.class_count},
                 {"class_names", spec.class_names},
                 {"value", {{"scale", spec.mapping.scale}, {"offset", spec.mapping.offset}}},
                 {"fps", spec.fps},
                 {"creator", spec.creator},
                 {"content_key", spec.content_key},
                 {"shards", shards}};
  if (spec.text) object["text"] = text_json(*spec.text);
  if (spec.sources) object["sources"] = true;
  if (latent) {
    object["latent"] = {
        {"name", spec.latent.name}, {"mean", spec.latent.mean}, {"std", spec.latent.std}};
  }
  return with_checksum(std::move(object));
}

Manifest read_manifest(const std::filesystem::path& directory) {
  const std::filesystem::path path = directory / kManifestName;
  std::error_code code;
  if (!std::filesystem::exists(path, code)) {
    const bool there = std::filesystem::is_directory(directory, code);
    throw IoError(str("[dataset] ", directory.string(),
                      there ? " has no manifest.json: it is not a data set, or packing was "
                              "interrupted (pack again to continue)"
                            : " does not exist or is not a directory"));
  }
  return parse_manifest(read_file(path, kMaxManifestBytes), path);
}

}  // namespace eflow::io
