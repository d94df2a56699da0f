#include "eflow/io/checkpoint/checkpoint_manifest.hpp"

#include <sys/stat.h>

#include <algorithm>
#include <cstdio>
#include <map>
#include <set>

#include "eflow/core/base/error.hpp"
#include "eflow/io/shard/json_fields.hpp"

namespace eflow::io {
namespace {

using nlohmann::json;

constexpr const char* kFormat = "eflow-checkpoint";
/// Version 1: one file. Version 2: one per writer.
constexpr int kOneFile = 1, kManyFiles = 2;
constexpr std::uint64_t kMaxManifestBytes = 256 << 20;

std::uint64_t count_of(const ArrayInfo& info) {
  return static_cast<std::uint64_t>(element_count(info.shape));
}

json part_json(const ArrayPart& part) {
  return {{"offset", part.offset}, {"bytes", part.bytes}, {"hash", to_hex(part.hash)}};
}

json array_json(const ArrayEntry& entry, bool one_file) {
  const ArrayInfo& info = entry.info;
  json object = {{"name", info.name},
                 {"dtype", name_of(info.dtype)},
                 {"shape", std::vector<std::int64_t>(info.shape.begin(), info.shape.end())}};
  if (entry.content) object["content"] = to_hex(*entry.content);
  if (one_file) {
    object.update(part_json(entry.parts.at(0)));
    return object;
  }
  json parts = json::array();
  for (const ArrayPart& part : entry.parts) {
    parts.push_back(part_json(part));
    parts.back()["file"] = part.file;
    parts.back()["first"] = part.first;
  }
  object["parts"] = parts;
  return object;
}

/// Reads the objects of a manifest; errors name the file and the array.
class Parser {
 public:
  Parser(const std::filesystem::path& path, bool one_file) : path_(path), one_file_(one_file) {}

  [[nodiscard]] StateFile file(const json& object, const std::string& expected) const {
    StateFile file;
    file.name = one_file_ ? expected : field<std::string>(object, "name", path_);
    file.bytes = field<std::uint64_t>(object, one_file_ ? "state_bytes" : "bytes", path_);
    const auto structure = field<std::string>(object, "structure_hash", path_);
    const auto parsed = hash128_from_hex(std::string(16, '0') + structure);
    if (!parsed)
      throw CorruptData(str("[checkpoint] ", path_.string(), ": invalid structure_hash"));
    file.structure_hash = parsed->low;
    if (file.name != expected) {
      throw CorruptData(str("[checkpoint] ", path_.string(), ", field \"files\": found the name \"",
                            file.name, "\", expected ", expected));
    }
    return file;
  }

  [[nodiscard]] ArrayEntry array(const json& object, const std::vector<StateFile>& files) const {
    ArrayEntry entry;
    ArrayInfo& info = entry.info;
    info.name = field<std::string>(object, "name", path_);
    const auto dtype = dtype_from_name(field<std::string>(object, "dtype", path_));
    const auto dims = field<std::vector<std::int64_t>>(object, "shape", path_);
    if (!dtype || dims.size() > Shape::kMaxRank) refuse(info, "invalid dtype or shape");
    info.dtype = *dtype;
    info.shape = Shape(dims);
    try {
      check_array_name(info.name);
      const std::uint64_t count = count_of(info);
      if (count > (std::uint64_t{1} << 60)) refuse(info, str(count, " elements"));
      info.bytes = count * size_of(info.dtype);
    } catch (const InvalidArgument& e) {
      refuse(info, e.what());
    }
    if (object.contains("content")) entry.content = hash_at(object, "content", info);
    if (one_file_) {
      entry.parts.push_back(part(object, info, files));
    } else {
      for (const json& one : field<json>(object, "parts", path_))
        entry.parts.push_back(part(one, info, files));
    }
    return entry;
  }

  /// Throws CorruptData unless the parts are all elements, once.
  void require_whole(const ArrayEntry& entry) const {
    std::uint64_t next = 0;
    const std::uint64_t count = count_of(entry.info), size = size_of(entry.info.dtype);
    for (const ArrayPart& part : entry.parts) {
      if (part.first != next) refuse(entry.info, str("no part begins with element ", next));
      next += part.bytes / size;
    }
    if (next != count || entry.parts.empty())
      refuse(entry.info, str("its parts have ", next, " of ", count, " elements"));
  }

  [[noreturn]] void refuse(const ArrayInfo& info, const std::string& what) const {
    throw CorruptData(str("[checkpoint] ", path_.string(), ", array ", info.name, ": ", what));
  }

 private:
  [[nodiscard]] Hash128 hash_at(const json& object, const char* name, const ArrayInfo& info) const {
    const auto hash = hash128_from_hex(field<std::string>(object, name, path_));
    if (!hash) refuse(info, str("invalid ", name));
    return *hash;
  }

  [[nodiscard]] ArrayPart part(const json& object, const ArrayInfo& info,
                               const std::vector<StateFile>& files) const {
    ArrayPart part;
    if (!one_file_) {
      part.file = field<std::size_t>(object, "file", path_);
      part.first = field<std::uint64_t>(object, "first", path_);
    }
    part.offset = field<std::uint64_t>(object, "offset", path_);
    part.bytes = field<std::uint64_t>(object, "bytes", path_);
    part.hash = hash_at(object, "hash", info);
    if (part.file >= files.size()) refuse(info, str("there is no file ", part.file));
    const std::uint64_t size = size_of(info.dtype), in_file = files[part.file].bytes;
    if ((one_file_ && part.bytes != info.bytes) || part.bytes % size != 0 ||
        part.first > count_of(info) || part.bytes / size > count_of(info) - part.first) {
      refuse(info, str(part.bytes, " bytes", one_file_ ? "" : str(" from element ", part.first),
                       " do not match ", info.shape, " ", info.dtype));
    }
    if (part.offset > in_file || part.bytes > in_file - part.offset) {
      refuse(info, str("bytes ", part.offset, " + ", part.bytes, " are outside the file of ",
                       in_file, " bytes"));
    }
    return part;
  }

  const std::filesystem::path& path_;
  bool one_file_;
};

}  // namespace

std::string name_of_state(const SavePart& part) {
  if (part.count == 1) return kStateName;
  char name[48];
  std::snprintf(name, sizeof name, "state-%05d-of-%05d.h5", part.index, part.count);
  return name;
}

Hash128 add(const Hash128& a, const Hash128& b) {
  return {a.high + b.high, a.low + b.low};
}

Hash128 content_hash(std::span<const std::byte> bytes, DType dtype, std::uint64_t first) {
  const std::size_t block = kSaveBlock * size_of(dtype);
  Hash128 sum;
  std::uint64_t number = first / kSaveBlock;
  for (std::size_t at = 0; at < bytes.size(); at += block)
    sum = add(sum, hash128(bytes.subspan(at, std::min(block, bytes.size() - at)), number++));
  return sum;
}

std::string to_json(const CheckpointManifest& manifest) {
  json object = {{"format", kFormat}, {"step", manifest.step}};
  try {
    object["metadata"] = json::parse(manifest.metadata);
  } catch (const json::exception& e) {
    throw InvalidArgument(str("[checkpoint] the metadata is not valid JSON: ", e.what()));
  }
  const bool one_file = manifest.files.size() == 1 && manifest.files[0].name == kStateName;
  object["version"] = one_file ? kOneFile : kManyFiles;
  json arrays = json::array(), files = json::array();
  for (const ArrayEntry& entry : manifest.arrays) arrays.push_back(array_json(entry, one_file));
  for (const StateFile& file : manifest.files) {
    files.push_back({{one_file ? "state_bytes" : "bytes", file.bytes},
                     {"structure_hash", to_hex(file.structure_hash)}});
    if (!one_file) files.back()["name"] = file.name;
  }
  object["arrays"] = arrays;
  if (one_file) {
    object.update(files[0]);
  } else {
    object["files"] = files;
  }
  return with_checksum(object);
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
  return parse_checkpoint_manifest(text, path);
}

CheckpointManifest parse_checkpoint_manifest(const std::string& text,
                                             const std::filesystem::path& path,
                                             bool of_one_writer) {
  const json object = parse_checked(text, kFormat, kManyFiles, path);
  const bool one_file = field<int>(object, "version", path) == kOneFile;
  const Parser parser(path, one_file);
  CheckpointManifest manifest;
  manifest.step = field<std::int64_t>(object, "step", path);
  manifest.metadata = field<json>(object, "metadata", path).dump();
  const json files = one_file ? json::array({object}) : field<json>(object, "files", path);
  for (const json& file : files) {
    const SavePart part{static_cast<int>(manifest.files.size()), static_cast<int>(files.size())};
    const bool any_name = of_one_writer && !one_file;
    manifest.files.push_back(
        parser.file(file, any_name ? field<std::string>(file, "name", path) : name_of_state(part)));
  }
  std::set<std::string> names;
  for (const json& array : field<json>(object, "arrays", path)) {
    manifest.arrays.push_back(parser.array(array, manifest.files));
    const ArrayEntry& entry = manifest.arrays.back();
    if (!names.insert(entry.info.name).second) {
      throw CorruptData(str("[checkpoint] ", path.string(), ": duplicate array ", entry.info.name));
    }
    if (!of_one_writer) parser.require_whole(entry);
  }
  return manifest;
}

CheckpointManifest joined(std::vector<CheckpointManifest> writers) {
  CheckpointManifest all = std::move(writers.at(0));
  std::map<std::string, std::size_t> numbers;
  for (std::size_t i = 0; i < all.arrays.size(); ++i) numbers.emplace(all.arrays[i].info.name, i);
  for (std::size_t w = 1; w < writers.size(); ++w) {
    CheckpointManifest& writer = writers[w];
    for (ArrayEntry& entry : writer.arrays) {
      const auto known = numbers.find(entry.info.name);
      if (known == numbers.end())
        throw InvalidArgument(str("[checkpoint] array ", entry.info.name, " of writer ", w,
                                  " is not among those of the first"));
      ArrayEntry& whole = all.arrays[known->second];
      if (whole.info.dtype != entry.info.dtype || whole.info.shape != entry.info.shape)
        throw InvalidArgument(str("[checkpoint] array ", entry.info.name, " of writer ", w, " is ",
                                  entry.info.shape, " ", entry.info.dtype, ", the first one's ",
                                  whole.info.shape, " ", whole.info.dtype));
      whole.content = add(*whole.content, *entry.content);
      for (ArrayPart part : entry.parts) {
        part.file += all.files.size();
        whole.parts.push_back(part);
      }
    }
    all.files.insert(all.files.end(), writer.files.begin(), writer.files.end());
  }
  const std::filesystem::path path = kManifestName;
  const Parser parser(path, false);
  for (ArrayEntry& entry : all.arrays) {
    std::sort(entry.parts.begin(), entry.parts.end(),
              [](const ArrayPart& a, const ArrayPart& b) { return a.first < b.first; });
    try {
      parser.require_whole(entry);
    } catch (const CorruptData& error) {
      throw InvalidArgument(error.what());
    }
  }
  return all;
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

}  // namespace eflow::io
