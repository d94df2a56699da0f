#include "eflow/io/checkpoint/checkpoint_manifest.hpp"

#include <sys/stat.h>

#include <set>

#include "eflow/core/base/error.hpp"
#include "eflow/io/shard/json_fields.hpp"
#include "eflow/io/shard/shard_format.hpp"

namespace eflow::io {
namespace {

using nlohmann::json;

constexpr const char* kFormat = "eflow-checkpoint";
constexpr int kVersion = 1;
constexpr std::uint64_t kMaxManifestBytes = 256 << 20;

json array_json(const ArrayEntry& entry) {
  const ArrayInfo& info = entry.info;
  return {{"name", info.name},
          {"dtype", name_of(info.dtype)},
          {"shape", std::vector<std::int64_t>(info.shape.begin(), info.shape.end())},
          {"offset", info.offset},
          {"bytes", info.bytes},
          {"hash", to_hex(entry.hash)}};
}

ArrayEntry parse_array(const json& object, std::uint64_t state_bytes,
                       const std::filesystem::path& path) {
  ArrayEntry entry;
  ArrayInfo& info = entry.info;
  info.name = field<std::string>(object, "name", path);
  const auto refuse = [&](const std::string& what) {
    throw CorruptData(str("[checkpoint] ", path.string(), ", array ", info.name, ": ", what));
  };
  const auto dtype = dtype_from_name(field<std::string>(object, "dtype", path));
  const auto hash = hash128_from_hex(field<std::string>(object, "hash", path));
  const auto dims = field<std::vector<std::int64_t>>(object, "shape", path);
  info.offset = field<std::uint64_t>(object, "offset", path);
  info.bytes = field<std::uint64_t>(object, "bytes", path);
  if (!dtype || !hash || dims.size() > Shape::kMaxRank) refuse("invalid dtype, hash or shape");
  info.dtype = *dtype;
  entry.hash = *hash;
  info.shape = Shape(dims);
  try {
    check_array_name(info.name);
    const auto count = static_cast<std::uint64_t>(element_count(info.shape));
    if (count > state_bytes || count * size_of(info.dtype) != info.bytes) {
      refuse(str(info.bytes, " bytes do not match ", info.shape, " ", info.dtype));
    }
  } catch (const InvalidArgument& e) {
    refuse(e.what());
  }
  if (info.offset > state_bytes || info.bytes > state_bytes - info.offset) {
    refuse(str("bytes ", info.offset, " + ", info.bytes, " are outside the file of ", state_bytes,
               " bytes"));
  }
  return entry;
}

}  // namespace

std::string to_json(const CheckpointManifest& manifest) {
  json metadata;
  try {
    metadata = json::parse(manifest.metadata);
  } catch (const json::exception& e) {
    throw InvalidArgument(str("[checkpoint] the metadata is not valid JSON: ", e.what()));
  }
  json arrays = json::array();
  for (const ArrayEntry& entry : manifest.arrays) arrays.push_back(array_json(entry));
  return with_checksum({{"format", kFormat},
                        {"version", kVersion},
                        {"step", manifest.step},
                        {"metadata", metadata},
                        {"state_bytes", manifest.state_bytes},
                        {"structure_hash", to_hex(manifest.structure_hash)},
                        {"arrays", arrays}});
}

std::uint64_t size_of_file(const FileDescriptor& file, const std::filesystem::path& path) {
  struct stat info {};
  if (::fstat(file.get(), &info) != 0) throw_errno("stat", path.string());
  if (!S_ISREG(info.st_mode)) {
    throw IoError(str("[checkpoint] ", path.string(), " is not a regular file"));
  }
  return static_cast<std::uint64_t>(info.st_size);
}

CheckpointManifest read_checkpoint_manifest(const FileDescriptor& file,
                                            const std::filesystem::path& path) {
  const std::uint64_t size = size_of_file(file, path);
  if (size > kMaxManifestBytes) {
    throw CorruptData(str("[checkpoint] ", path.string(), " has ", size,
                          " bytes, expected at most ", kMaxManifestBytes));
  }
  std::string text(size, '\0');
  read_at(file, path, 0, std::as_writable_bytes(std::span(text.data(), text.size())));
  const json object = parse_checked(text, kFormat, kVersion, path);
  CheckpointManifest manifest;
  manifest.step = field<std::int64_t>(object, "step", path);
  manifest.metadata = field<json>(object, "metadata", path).dump();
  manifest.state_bytes = field<std::uint64_t>(object, "state_bytes", path);
  const auto structure = field<std::string>(object, "structure_hash", path);
  const auto parsed = hash128_from_hex(std::string(16, '0') + structure);
  if (!parsed) throw CorruptData(str("[checkpoint] ", path.string(), ": invalid structure_hash"));
  manifest.structure_hash = parsed->low;
  std::set<std::string> names;
  for (const json& array : field<json>(object, "arrays", path)) {
    manifest.arrays.push_back(parse_array(array, manifest.state_bytes, path));
    if (!names.insert(manifest.arrays.back().info.name).second) {
      throw CorruptData(str("[checkpoint] ", path.string(), ": duplicate array ",
                            manifest.arrays.back().info.name));
    }
  }
  return manifest;
}

void check_array_name(const std::string& name) {
  bool good = !name.empty() && name.size() <= 1024 && name.front() != '/' && name.back() != '/' &&
              name.find("//") == std::string::npos;
  for (const char c : name) good = good && c > ' ' && c < 127;
  const std::string path = "/" + name + "/";
  good = good && path.find("/./") == std::string::npos && path.find("/../") == std::string::npos;
  if (!good) {
    throw InvalidArgument(
        str("[checkpoint] \"", name.substr(0, 200),
            "\" is not a valid array name; use printable ASCII components joined by '/'"));
  }
}

std::uint64_t hash_of_structure(std::span<const ArrayInfo> arrays, std::uint64_t state_bytes,
                                const FileDescriptor& state, const std::filesystem::path& path) {
  std::vector<ByteRange> taken;
  for (const ArrayInfo& info : arrays) {
    if (info.bytes > 0) taken.push_back({info.offset, info.bytes});
  }
  return hash_of_gaps(gaps_between(std::move(taken), 0, state_bytes, path),
                      [&](const ByteRange& gap) {
                        std::vector<std::byte> bytes(gap.bytes);
                        read_at(state, path, gap.offset, bytes);
                        return bytes;
                      });
}

}  // namespace eflow::io
