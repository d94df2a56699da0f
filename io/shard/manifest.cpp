#include "eflow/io/shard/manifest.hpp"

#include <cmath>

#include "eflow/core/base/atomic_file.hpp"
#include "eflow/core/base/error.hpp"
#include "eflow/io/shard/json_fields.hpp"
#include "eflow/io/shard/shard_format.hpp"

namespace eflow::io {
namespace {

constexpr const char* kFormat = "eflow-dataset";
constexpr int kVersion = 1;
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

Manifest parse_manifest(const std::string& text, const std::filesystem::path& path) {
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
  return with_checksum({{"format", kFormat},
                        {"version", kVersion},
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
                        {"shards", shards}});
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
